/** What `crm reconcile` is told. */
export interface ReconcileOptions {
  readonly crm?: string;
  readonly dryRun: boolean;
  readonly yesChange?: number;
  readonly upstream?: string;
  readonly ingress?: string;
  readonly callsPerSecond?: number;
  readonly progress?: string;
  readonly fresh: boolean;
  readonly max: number;
}

export interface CheckOptions {
  readonly crm?: string;
}
