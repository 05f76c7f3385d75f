module github.com/paddlepaddle/paddle/paddle/fluid/inference/goapi

go 1.17
