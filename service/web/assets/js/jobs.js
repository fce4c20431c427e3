// A job as the service tells it, in the few facts that the pages show.

/**
 * {id, name, state, createdAt, sizeBytes, durationS, frameSize, numTracks, actions, model, progress, error, links} of a job;
 * actions: Map of action → how often, null where the job was done before that was counted.
 */
export function jobOf(read) {
  const summary = read.summary ?? {};
  return {
    id: read.job_id,
    name: read.source?.name ?? read.job_id,
    state: read.state,
    createdAt: read.created_at,
    sizeBytes: read.source?.size_bytes ?? null,
    durationS: summary.duration_s ?? null,
    frameSize: summary.frame_size ?? null,
    numTracks: trackCount(summary),
    actions: actionsOf(summary),
    model: summary.model ?? read.model ?? null,
    progress: read.progress ?? {},
    error: read.error ?? null,
    links: read.links ?? {},
  };
}

/** A job after a `job.progress` message. */
export function progressed(job, data) {
  return { ...job, state: data.state ?? "running", progress: { ...job.progress, ...data.progress } };
}

/** Whether a worker has it or will have it. */
export function isActive(job) {
  return job.state === "queued" || job.state === "running";
}

/** Why it failed, in words. */
export function faultOf(job) {
  return job.error?.detail ?? "No reason was given.";
}

function actionsOf(summary) {
  if (summary.action_counts) return new Map(Object.entries(summary.action_counts));
  return new Map((summary.actions ?? []).map((action) => [action, null]));
}

function trackCount(summary) {
  const told = summary.num_tracks ?? summary.tracks;
  if (Array.isArray(told)) return told.length;
  return Number.isFinite(told) ? told : null;
}
