// Made from pipelines/actions.toml by `make colours`; do not edit.

export const NAMED = {
  walk: "#4c8df6",
  run: "#2457d6",
  stand: "#93a4b5",
  sit_down: "#3fb5a3",
  sitting: "#7388a0",
  stand_up: "#2f9e6e",
  lie: "#e8833a",
  fall: "#e5484d",
  pick_up: "#86b93b",
  jump: "#29a3e0",
  squat: "#6f7df2",
  wave: "#f0b90b",
  clap: "#cf9a3c",
  punch: "#d6409f",
  kick: "#a855f7",
  throw: "#8468d8",
  push: "#b8478f",
  hug: "#d9a0c8",
  unknown: "#9a9a96",
};

export const NEUTRAL = "#ecece8";
