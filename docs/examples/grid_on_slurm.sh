#!/usr/bin/env bash
# A sweep on a SLURM cluster. Start it on a login node, in a folder that the nodes share, and leave it running:
#
#   pip install "ood-diffusion[slurm]"
#   bash grid_on_slurm.sh
#
# If it is interrupted, start it again: it resumes, in the same folder. Details: docs/cluster.md.
set -euo pipefail

GRID=(
  domain=galaxies_sim,radiation_sim   # or domain=image_folder domain.path=/shared/my_images
  level=300,500,700
  sampler=linear_combination,draw
)
CLUSTER=(
  launcher=slurm
  hydra.launcher.array_parallelism=4   # runs at a time
  hydra.launcher.timeout_min=60        # a run that takes longer is requeued and resumes
  # hydra.launcher.partition=gpu hydra.launcher.gpus_per_node=1
)
SWEEP=outputs/sweeps/levels

# What it costs: runs, network calls, and what is already in the store.
ood-diffusion -m "${GRID[@]}" dry_run=true

# Each run is a task of one job array; runs that differ only in the sampler share their inversions.
ood-diffusion -m "${GRID[@]}" "${CLUSTER[@]}" hydra.sweep.dir="$SWEEP" logger=none

# One table of all runs, runs.csv; says which failed and why.
ood-diffusion collect "$SWEEP"
