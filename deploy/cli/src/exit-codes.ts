/** Scripts can rely on these; deploy/README.md documents them. */
export const EXIT = {
  /** Done; for questions: yes, all well. */
  ok: 0,
  /** It failed, or it found problems. */
  failed: 1,
  /** The command line or the input cannot be understood. */
  usage: 2,
  /** inspect: the request is not verified. */
  notVerified: 3,
  /** status, down: nothing runs here. */
  notRunning: 4,
  /** Interrupted by Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
