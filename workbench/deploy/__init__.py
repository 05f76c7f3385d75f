"""From a trained layer to a deployment: export, pipeline, log, checks, code, and the 1.x API."""
