// Package paddle stands in for Paddle's Go package: the names and signatures that the generated Go uses, in our own
// words, over a stand-in for the C library that it is linked with.
package paddle

// #include <stdlib.h>
// #include "pd_inference_api.h"
import "C"

import "unsafe"

// Precision as of TensorRT.
type Precision C.PD_PrecisionType

// The precisions of the C API.
const (
	PrecisionFloat32 Precision = C.PD_PRECISION_FLOAT32
	PrecisionInt8    Precision = C.PD_PRECISION_INT8
	PrecisionHalf    Precision = C.PD_PRECISION_HALF
)

// DataType of a tensor.
type DataType C.PD_DataType

// The types of the C API.
const (
	Unk     DataType = C.PD_DATA_UNK
	Float32 DataType = C.PD_DATA_FLOAT32
	Int32   DataType = C.PD_DATA_INT32
	Int64   DataType = C.PD_DATA_INT64
	Uint8   DataType = C.PD_DATA_UINT8
	Int8    DataType = C.PD_DATA_INT8
)

// Config of one predictor.
type Config struct{ c *C.PD_Config }

// Predictor that runs.
type Predictor struct{ c *C.PD_Predictor }

// Tensor is a handle of an input or an output.
type Tensor struct{ c *C.PD_Tensor }

func boolean(x bool) C.PD_Bool {
	if x {
		return C.TRUE
	}
	return C.FALSE
}

func with(text string, use func(*C.char)) {
	c := C.CString(text)
	defer C.free(unsafe.Pointer(c))
	use(c)
}

func withAll(texts []string, use func(C.size_t, **C.char)) {
	all := make([]*C.char, len(texts)+1)
	for i, text := range texts {
		all[i] = C.CString(text)
		defer C.free(unsafe.Pointer(all[i]))
	}
	use(C.size_t(len(texts)), &all[0])
}

func NewConfig() *Config { return &Config{C.PD_ConfigCreate()} }

func (config *Config) SetModel(model, params string) {
	with(model, func(m *C.char) { with(params, func(p *C.char) { C.PD_ConfigSetModel(config.c, m, p) }) })
}

func (config *Config) SetModelDir(modelDir string) {
	with(modelDir, func(dir *C.char) { C.PD_ConfigSetModelDir(config.c, dir) })
}

func (config *Config) EnableUseGpu(memorySize uint64, deviceId int32) {
	C.PD_ConfigEnableUseGpu(config.c, C.uint64_t(memorySize), C.int32_t(deviceId), C.PD_PRECISION_FLOAT32)
}

func (config *Config) EnableTensorRtEngine(workspaceSize int64, maxBatchSize int32, minSubgraphSize int32,
	precision Precision, useStatic bool, useCalibMode bool) {
	C.PD_ConfigEnableTensorRtEngine(config.c, C.int64_t(workspaceSize), C.int32_t(maxBatchSize),
		C.int32_t(minSubgraphSize), C.PD_PrecisionType(precision), boolean(useStatic), boolean(useCalibMode))
}

func (config *Config) DisableTensorRtOPs(ops []string) {
	withAll(ops, func(num C.size_t, names **C.char) { C.PD_ConfigDisableTensorRtOPs(config.c, num, names) })
}

func (config *Config) EnableONEDNN() { C.PD_ConfigEnableMKLDNN(config.c) }

func (config *Config) EnableMkldnnBfloat16() { C.PD_ConfigEnableMkldnnBfloat16(config.c) }

func (config *Config) SetBfloat16Op(opList []string) {
	withAll(opList, func(num C.size_t, ops **C.char) { C.PD_ConfigSetBfloat16Op(config.c, num, ops) })
}

func (config *Config) SetCpuMathLibraryNumThreads(mathThreadsNum int) {
	C.PD_ConfigSetCpuMathLibraryNumThreads(config.c, C.int32_t(mathThreadsNum))
}

func (config *Config) SwitchIrOptim(x bool) { C.PD_ConfigSwitchIrOptim(config.c, boolean(x)) }

func (config *Config) EnableMemoryOptim(x bool) { C.PD_ConfigEnableMemoryOptim(config.c, boolean(x)) }

func (config *Config) DeletePass(pass string) {
	with(pass, func(name *C.char) { C.PD_ConfigDeletePass(config.c, name) })
}

func (config *Config) AppendPass(pass string) {
	with(pass, func(name *C.char) { C.PD_ConfigAppendPass(config.c, name) })
}

func NewPredictor(config *Config) *Predictor { return &Predictor{C.PD_PredictorCreate(config.c)} }

func (p *Predictor) GetOutputNames() []string {
	found := C.PD_PredictorGetOutputNames(p.c)
	defer C.PD_OneDimArrayCstrDestroy(found)
	var names []string
	for _, name := range unsafe.Slice(found.data, int(found.size)) {
		names = append(names, C.GoString(name))
	}
	return names
}

func (p *Predictor) GetInputHandle(name string) (tensor *Tensor) {
	with(name, func(c *C.char) { tensor = &Tensor{C.PD_PredictorGetInputHandle(p.c, c)} })
	return tensor
}

func (p *Predictor) GetOutputHandle(name string) (tensor *Tensor) {
	with(name, func(c *C.char) { tensor = &Tensor{C.PD_PredictorGetOutputHandle(p.c, c)} })
	return tensor
}

func (p *Predictor) Run() { C.PD_PredictorRun(p.c) }

func (t *Tensor) Reshape(shape []int32) {
	C.PD_TensorReshape(t.c, C.size_t(len(shape)), (*C.int32_t)(unsafe.Pointer(&shape[0])))
}

func (t *Tensor) Shape() []int32 {
	found := C.PD_TensorGetShape(t.c)
	defer C.PD_OneDimArrayInt32Destroy(found)
	var shape []int32
	for _, size := range unsafe.Slice(found.data, int(found.size)) {
		shape = append(shape, int32(size))
	}
	return shape
}

func (t *Tensor) Type() DataType { return DataType(C.PD_TensorGetDataType(t.c)) }

func (t *Tensor) CopyFromCpu(value interface{}) {
	switch data := value.(type) {
	case []float32:
		C.PD_TensorCopyFromCpuFloat(t.c, (*C.float)(unsafe.Pointer(&data[0])))
	case []int64:
		C.PD_TensorCopyFromCpuInt64(t.c, (*C.int64_t)(unsafe.Pointer(&data[0])))
	case []int32:
		C.PD_TensorCopyFromCpuInt32(t.c, (*C.int32_t)(unsafe.Pointer(&data[0])))
	case []uint8:
		C.PD_TensorCopyFromCpuUint8(t.c, (*C.uint8_t)(unsafe.Pointer(&data[0])))
	case []int8:
		C.PD_TensorCopyFromCpuInt8(t.c, (*C.int8_t)(unsafe.Pointer(&data[0])))
	}
}

func (t *Tensor) CopyToCpu(value interface{}) {
	switch data := value.(type) {
	case []float32:
		C.PD_TensorCopyToCpuFloat(t.c, (*C.float)(unsafe.Pointer(&data[0])))
	case []int64:
		C.PD_TensorCopyToCpuInt64(t.c, (*C.int64_t)(unsafe.Pointer(&data[0])))
	case []int32:
		C.PD_TensorCopyToCpuInt32(t.c, (*C.int32_t)(unsafe.Pointer(&data[0])))
	case []uint8:
		C.PD_TensorCopyToCpuUint8(t.c, (*C.uint8_t)(unsafe.Pointer(&data[0])))
	case []int8:
		C.PD_TensorCopyToCpuInt8(t.c, (*C.int8_t)(unsafe.Pointer(&data[0])))
	}
}
