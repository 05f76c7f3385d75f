// Stands in for Paddle's C library: each function makes the call of the C++ API that it is named after.
#include <cstdlib>
#include <cstring>
#include <map>

#include "paddle_inference_api.h"
#include "pd_inference_api.h"

using paddle_infer::Config;
using paddle_infer::DataType;
using paddle_infer::PrecisionType;

struct PD_Config {
  Config config;
};

struct PD_Predictor {
  std::shared_ptr<paddle_infer::Predictor> predictor;
};

struct PD_Tensor {
  std::unique_ptr<paddle_infer::Tensor> tensor;
};

static PrecisionType precision_of(PD_PrecisionType precision) {
  return std::map<PD_PrecisionType, PrecisionType>{
      {PD_PRECISION_FLOAT32, PrecisionType::kFloat32},
      {PD_PRECISION_INT8, PrecisionType::kInt8},
      {PD_PRECISION_HALF, PrecisionType::kHalf},
  }
      .at(precision);
}

PD_Config* PD_ConfigCreate(void) { return new PD_Config; }
void PD_ConfigDestroy(PD_Config* config) { delete config; }
void PD_ConfigSetModel(PD_Config* config, const char* prog_file_path, const char* params_file_path) {
  config->config.SetModel(prog_file_path, params_file_path);
}
void PD_ConfigSetModelDir(PD_Config* config, const char* model_dir) { config->config.SetModel(model_dir); }
void PD_ConfigEnableUseGpu(PD_Config* config, uint64_t memory_pool_init_size_mb, int32_t device_id,
                           PD_PrecisionType precision_mode) {
  config->config.EnableUseGpu(memory_pool_init_size_mb, device_id, precision_of(precision_mode));
}
void PD_ConfigEnableTensorRtEngine(PD_Config* config, int64_t workspace_size, int32_t max_batch_size,
                                   int32_t min_subgraph_size, PD_PrecisionType precision, PD_Bool use_static,
                                   PD_Bool use_calib_mode) {
  config->config.EnableTensorRtEngine(workspace_size, max_batch_size, min_subgraph_size, precision_of(precision),
                                      use_static, use_calib_mode);
}
void PD_ConfigDisableTensorRtOPs(PD_Config* config, size_t ops_num, const char** ops_name) {
  config->config.Exp_DisableTensorRtOPs(std::vector<std::string>(ops_name, ops_name + ops_num));
}
void PD_ConfigEnableMKLDNN(PD_Config* config) { config->config.EnableONEDNN(); }
void PD_ConfigEnableMkldnnBfloat16(PD_Config* config) { config->config.EnableOnednnBfloat16(); }
void PD_ConfigSetBfloat16Op(PD_Config* config, size_t ops_num, const char** op_list) {
  config->config.SetBfloat16Op(std::unordered_set<std::string>(op_list, op_list + ops_num));
}
void PD_ConfigEnableMkldnnInt8(PD_Config* config) { config->config.EnableOnednnInt8(); }
void PD_ConfigSetCpuMathLibraryNumThreads(PD_Config* config, int32_t cpu_math_library_num_threads) {
  config->config.SetCpuMathLibraryNumThreads(cpu_math_library_num_threads);
}
void PD_ConfigSwitchIrOptim(PD_Config* config, PD_Bool x) { config->config.SwitchIrOptim(x); }
void PD_ConfigEnableNewExecutor(PD_Config* config, PD_Bool x) { config->config.EnableNewExecutor(x); }
void PD_ConfigEnableMemoryOptim(PD_Config* config, PD_Bool x) { config->config.EnableMemoryOptim(x); }
void PD_ConfigDeletePass(PD_Config* config, const char* pass) {
  config->config.pass_builder()->DeletePass(pass);
}
void PD_ConfigAppendPass(PD_Config* config, const char* pass) {
  config->config.pass_builder()->AppendPass(pass);
}

PD_Predictor* PD_PredictorCreate(PD_Config* config) {
  return new PD_Predictor{paddle_infer::CreatePredictor(config->config)};
}
void PD_PredictorDestroy(PD_Predictor* predictor) { delete predictor; }
PD_OneDimArrayCstr* PD_PredictorGetOutputNames(PD_Predictor* predictor) {
  const std::vector<std::string> names = predictor->predictor->GetOutputNames();
  auto* array = new PD_OneDimArrayCstr{names.size(), new char*[names.size()]};
  for (size_t i = 0; i < names.size(); ++i) array->data[i] = strdup(names[i].c_str());
  return array;
}
PD_Tensor* PD_PredictorGetInputHandle(PD_Predictor* predictor, const char* name) {
  return new PD_Tensor{predictor->predictor->GetInputHandle(name)};
}
PD_Tensor* PD_PredictorGetOutputHandle(PD_Predictor* predictor, const char* name) {
  return new PD_Tensor{predictor->predictor->GetOutputHandle(name)};
}
PD_Bool PD_PredictorRun(PD_Predictor* predictor) { return predictor->predictor->Run(); }

void PD_TensorDestroy(PD_Tensor* tensor) { delete tensor; }
void PD_TensorReshape(PD_Tensor* tensor, size_t shape_size, int32_t* shape) {
  tensor->tensor->Reshape(std::vector<int>(shape, shape + shape_size));
}
PD_OneDimArrayInt32* PD_TensorGetShape(PD_Tensor* tensor) {
  const std::vector<int> shape = tensor->tensor->shape();
  auto* array = new PD_OneDimArrayInt32{shape.size(), new int32_t[shape.size()]};
  for (size_t i = 0; i < shape.size(); ++i) array->data[i] = shape[i];
  return array;
}
PD_DataType PD_TensorGetDataType(PD_Tensor* tensor) {
  const std::map<DataType, PD_DataType> known = {
      {DataType::FLOAT32, PD_DATA_FLOAT32}, {DataType::INT64, PD_DATA_INT64}, {DataType::INT32, PD_DATA_INT32},
      {DataType::UINT8, PD_DATA_UINT8},     {DataType::INT8, PD_DATA_INT8},
  };
  const auto found = known.find(tensor->tensor->type());
  return found == known.end() ? PD_DATA_UNK : found->second;
}

#define COPY(type, Name)                                                                                    \
  void PD_TensorCopyFromCpu##Name(PD_Tensor* tensor, const type* data) { tensor->tensor->CopyFromCpu(data); } \
  void PD_TensorCopyToCpu##Name(PD_Tensor* tensor, type* data) { tensor->tensor->CopyToCpu(data); }
COPY(float, Float)
COPY(int64_t, Int64)
COPY(int32_t, Int32)
COPY(uint8_t, Uint8)
COPY(int8_t, Int8)

void PD_OneDimArrayInt32Destroy(PD_OneDimArrayInt32* array) {
  delete[] array->data;
  delete array;
}
void PD_OneDimArrayCstrDestroy(PD_OneDimArrayCstr* array) {
  for (size_t i = 0; i < array->size; ++i) free(array->data[i]);
  delete[] array->data;
  delete array;
}
