//! `stage add`: a stage written into `dvc.yaml` by a span edit.
