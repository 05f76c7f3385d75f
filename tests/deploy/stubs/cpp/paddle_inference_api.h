// What the generated C++ uses of Paddle Inference, declared in our own words after release 3.3.1.
//
// The definitions are in the library of Paddle's Python package (libpaddle.so), which exports them: a program
// compiled against this file links with it and runs. Layouts are Paddle's as far as a call needs it: a Config is
// storage that is large enough, filled by Paddle's own constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace paddle {

class PaddlePassBuilder {
 public:
  void AppendPass(const std::string& pass_type);
  void DeletePass(const std::string& pass_type);

 private:
  std::vector<std::string> passes_;
};

// It has virtual functions and its base has none: the base is not where it begins.
class PassStrategy : public PaddlePassBuilder {
 public:
  virtual void EnableCUDNN();
};

struct AnalysisConfig {
  enum class Precision { kFloat32 = 0, kInt8, kHalf, kBf16 };

  AnalysisConfig();
  AnalysisConfig(const AnalysisConfig& other);
  explicit AnalysisConfig(const std::string& model_dir);
  explicit AnalysisConfig(const std::string& prog_file, const std::string& params_file);
  ~AnalysisConfig();

  void SetModel(const std::string& model_dir);
  void SetModel(const std::string& prog_file, const std::string& params_file);

  void EnableUseGpu(uint64_t memory_pool_init_size_mb, int device_id = 0,
                    Precision precision_mode = Precision::kFloat32);
  void Exp_DisableMixedPrecisionOps(const std::unordered_set<std::string>& black_list);
  void EnableTensorRtEngine(int64_t workspace_size = 1 << 30, int max_batch_size = 1,
                            int min_subgraph_size = 3, Precision precision = Precision::kFloat32,
                            bool use_static = false, bool use_calib_mode = true,
                            bool use_cuda_graph = false);
  void Exp_DisableTensorRtOPs(const std::vector<std::string>& ops);

  void SetCpuMathLibraryNumThreads(int cpu_math_library_num_threads);
  void EnableONEDNN();
  void DisableONEDNN();
  void EnableOnednnBfloat16();
  void SetBfloat16Op(std::unordered_set<std::string> op_list);
  void EnableOnednnInt8(const std::unordered_set<std::string>& op_list = {});
  // The names until 3.1; from 3.2 on they warn.
  void EnableMKLDNN();
  void DisableMKLDNN();
  void EnableMkldnnBfloat16();
  void EnableMkldnnInt8(const std::unordered_set<std::string>& op_list = {});

  void SwitchIrOptim(int x = true);
  void SetOptimizationLevel(int opt_level);
  void EnableNewExecutor(bool x = true);
  void EnableMemoryOptim(bool x = true);
  void DeletePass(const std::string& pass_name);
  void EnableCustomPasses(const std::vector<std::string>& passes, bool custom_pass_only = false);
  PassStrategy* pass_builder() const;

 private:
  alignas(16) unsigned char storage_[16384];
};

}  // namespace paddle

namespace paddle_infer {

enum DataType { FLOAT32, INT64, INT32, UINT8, INT8, FLOAT16, BOOL, FLOAT64, BFLOAT16 };

using Config = paddle::AnalysisConfig;
using PrecisionType = paddle::AnalysisConfig::Precision;

class Tensor {
 public:
  // Paddle's is implicit and not exported: what a tensor's handle owns is lost here.
  ~Tensor() {}

  void Reshape(const std::vector<int>& shape);
  std::vector<int> shape() const;
  DataType type() const;
  template <typename T>
  void CopyFromCpu(const T* data);
  template <typename T>
  void CopyToCpu(T* data) const;
};

class Predictor {
 public:
  std::vector<std::string> GetInputNames();
  std::unique_ptr<Tensor> GetInputHandle(const std::string& name);
  bool Run();
  std::vector<std::string> GetOutputNames();
  std::unique_ptr<Tensor> GetOutputHandle(const std::string& name);
};

std::shared_ptr<Predictor> CreatePredictor(const Config& config);

}  // namespace paddle_infer
