/* What the generated C uses of Paddle Inference, declared in our own words after the headers of Paddle 3.0 and the
   calls that 3.2 added. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int8_t PD_Bool;
#define TRUE 1
#define FALSE 0

typedef int32_t PD_PrecisionType;
enum { PD_PRECISION_FLOAT32 = 0, PD_PRECISION_INT8, PD_PRECISION_HALF };

typedef int32_t PD_DataType;
enum {
  PD_DATA_UNK = -1,
  PD_DATA_FLOAT32,
  PD_DATA_INT32,
  PD_DATA_INT64,
  PD_DATA_UINT8,
  PD_DATA_INT8,
};

typedef struct PD_Config PD_Config;
typedef struct PD_Predictor PD_Predictor;
typedef struct PD_Tensor PD_Tensor;

typedef struct PD_OneDimArrayInt32 {
  size_t size;
  int32_t* data;
} PD_OneDimArrayInt32;

typedef struct PD_OneDimArrayCstr {
  size_t size;
  char** data;
} PD_OneDimArrayCstr;

PD_Config* PD_ConfigCreate(void);
void PD_ConfigDestroy(PD_Config* config);
void PD_ConfigSetModel(PD_Config* config, const char* prog_file_path, const char* params_file_path);
void PD_ConfigSetModelDir(PD_Config* config, const char* model_dir);
void PD_ConfigEnableUseGpu(PD_Config* config, uint64_t memory_pool_init_size_mb, int32_t device_id,
                           PD_PrecisionType precision_mode);
void PD_ConfigEnableTensorRtEngine(PD_Config* config, int64_t workspace_size, int32_t max_batch_size,
                                   int32_t min_subgraph_size, PD_PrecisionType precision, PD_Bool use_static,
                                   PD_Bool use_calib_mode);
void PD_ConfigDisableTensorRtOPs(PD_Config* config, size_t ops_num, const char** ops_name);
void PD_ConfigEnableMKLDNN(PD_Config* config);
void PD_ConfigEnableMkldnnBfloat16(PD_Config* config);
void PD_ConfigSetBfloat16Op(PD_Config* config, size_t ops_num, const char** op_list);
void PD_ConfigEnableMkldnnInt8(PD_Config* config);
void PD_ConfigSetCpuMathLibraryNumThreads(PD_Config* config, int32_t cpu_math_library_num_threads);
void PD_ConfigSwitchIrOptim(PD_Config* config, PD_Bool x);
void PD_ConfigEnableNewExecutor(PD_Config* config, PD_Bool x);
void PD_ConfigEnableMemoryOptim(PD_Config* config, PD_Bool x);
void PD_ConfigDeletePass(PD_Config* config, const char* pass);
void PD_ConfigAppendPass(PD_Config* config, const char* pass);

PD_Predictor* PD_PredictorCreate(PD_Config* config);
void PD_PredictorDestroy(PD_Predictor* predictor);
PD_OneDimArrayCstr* PD_PredictorGetOutputNames(PD_Predictor* predictor);
PD_Tensor* PD_PredictorGetInputHandle(PD_Predictor* predictor, const char* name);
PD_Tensor* PD_PredictorGetOutputHandle(PD_Predictor* predictor, const char* name);
PD_Bool PD_PredictorRun(PD_Predictor* predictor);

void PD_TensorDestroy(PD_Tensor* tensor);
void PD_TensorReshape(PD_Tensor* tensor, size_t shape_size, int32_t* shape);
PD_OneDimArrayInt32* PD_TensorGetShape(PD_Tensor* tensor);
PD_DataType PD_TensorGetDataType(PD_Tensor* tensor);
void PD_TensorCopyFromCpuFloat(PD_Tensor* tensor, const float* data);
void PD_TensorCopyFromCpuInt64(PD_Tensor* tensor, const int64_t* data);
void PD_TensorCopyFromCpuInt32(PD_Tensor* tensor, const int32_t* data);
void PD_TensorCopyFromCpuUint8(PD_Tensor* tensor, const uint8_t* data);
void PD_TensorCopyFromCpuInt8(PD_Tensor* tensor, const int8_t* data);
void PD_TensorCopyToCpuFloat(PD_Tensor* tensor, float* data);
void PD_TensorCopyToCpuInt64(PD_Tensor* tensor, int64_t* data);
void PD_TensorCopyToCpuInt32(PD_Tensor* tensor, int32_t* data);
void PD_TensorCopyToCpuUint8(PD_Tensor* tensor, uint8_t* data);
void PD_TensorCopyToCpuInt8(PD_Tensor* tensor, int8_t* data);

void PD_OneDimArrayInt32Destroy(PD_OneDimArrayInt32* array);
void PD_OneDimArrayCstrDestroy(PD_OneDimArrayCstr* array);

#ifdef __cplusplus
}
#endif
