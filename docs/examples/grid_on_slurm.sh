#!/usr/bin/env bash
# A grid on a SLURM cluster. Run it on a login node, in a folder that the nodes share, and leave it running:
#
#   pip install "ood-diffusion[slurm]"
#   bash grid_on_slurm.sh
#
# Started again after whatever happened, it goes on where it was. docs/cluster.md has the rest.
set -euo pipefail

GRID=(
  domain=galaxies_sim,radiation_sim   # or domain=image_folder domain.path=/shared/my_images
  level=300,500,700
  sampler=linear_combination,draw
)
CLUSTER=(
  launcher=slurm
  hydra.launcher.array_parallelism=4   # cells at a time
  hydra.launcher.timeout_min=60        # a cell that takes longer is put back and goes on
  # hydra.launcher.partition=gpu hydra.launcher.gpus_per_node=1
)
SWEEP=outputs/sweeps/levels

# What it costs: cells, network calls, and what the store has already.
ood-diffusion -m "${GRID[@]}" dry_run=true

# Each cell is a task of one job array; cells that differ in the sampler only share their inversions.
ood-diffusion -m "${GRID[@]}" "${CLUSTER[@]}" hydra.sweep.dir="$SWEEP" logger=none

# One table of all cells, cells.csv; says which failed and why.
ood-diffusion collect "$SWEEP"
