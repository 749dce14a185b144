#!/usr/bin/env bash
# Train one experiment by torchrun, on this node or on several, started anew after a failure.
#
#   experiments/cluster/torchrun.sh --nproc-per-node=8 experiments/prior.yaml [options of lightning fit]
#   experiments/cluster/torchrun.sh --nnodes=4 --nproc-per-node=8 --rdzv-endpoint=node1:29500 experiments/prior.yaml
#
# The second line on each of the four nodes, the same on all. What stands before the YAML is torchrun's, as --name=value. When a process
# or a node is lost, all that remain are stopped, and the run goes on from last.ckpt: at most --max-restarts times, 3 unless given.
# IMUFORGE_TORCHRUN is the command, "apptainer exec ... torchrun" or torchrun where there is no checkout.

set -euo pipefail

nodes=1
processes=1
given=()
restarts=(--max-restarts=3)
while [[ $# -gt 0 && $1 == --*=* ]]; do
    case $1 in
        --nnodes=*) nodes=${1#*=} ;;
        --nproc-per-node=* | --nproc_per_node=*) processes=${1#*=} ;;
        --max-restarts=* | --max_restarts=*) restarts=("$1") ;;
        *) given+=("$1") ;;
    esac
    shift
done
if [[ ! $nodes =~ ^[1-9][0-9]*$ || ! $processes =~ ^[1-9][0-9]*$ ]]; then
    echo "--nnodes is '$nodes' and --nproc-per-node '$processes', expected whole numbers of at least 1" >&2
    exit 2
fi
if [[ $# -lt 1 || (! -f $1 && $1 != experiments/*.yaml) ]]; then
    echo "usage: $0 [--name=value of torchrun] EXPERIMENT.yaml [options of lightning fit]; got '${1-}', expected a YAML file" >&2
    exit 2
fi
experiment=$1
shift
if [[ $nodes -gt 1 ]]; then
    given+=(--rdzv-backend=c10d)
else
    given+=(--standalone)
fi

export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

# shellcheck disable=SC2086 # the command may be several words
exec ${IMUFORGE_TORCHRUN:-.venv/bin/torchrun} --nnodes="$nodes" --nproc-per-node="$processes" "${restarts[@]}" "${given[@]}" \
    -m lightning_modules fit -c "$experiment" -c experiments/cluster/multinode.yaml \
    --trainer.devices="$processes" --trainer.num_nodes="$nodes" --ckpt_path=last "$@"
