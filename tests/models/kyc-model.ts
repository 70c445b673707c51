// A model of the rules for one user's KYC documents.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface ModelFile {
  id: string;
  /** When each reviewer last viewed the file. */
  viewedAt: Map<number, number>;
}

export type Outcome =
  | "ok"
  | "conflict"
  | "kyc_already_approved"
  | "kyc_not_viewed"
  | "kyc_version_stale"
  | "not_found"
  | "rate_limit_exceeded"
  | "validation_error";

/** The KYC state of one user according to the rules. */
export function newKycModel() {
  const state = {
    status: "NOT_SUBMITTED" as "NOT_SUBMITTED" | "PENDING" | "APPROVED" | "REJECTED",
    version: 0,
    reason: null as string | null,
    front: undefined as ModelFile | undefined,
    back: undefined as ModelFile | undefined,
    /** Issued links, with the file and the time of issue. */
    links: [] as { url: string; file: string; at: number }[],
  };
  let submittedAt = 0;
  /** The times of all uploads. */
  const uploads: number[] = [];
  /** Files of calls that crashed before a row referenced them, with the time of the upload. */
  const orphans = new Map<string, number>();

  const files = () => [state.front, state.back].filter((file) => file !== undefined);

  /** Whether a new submission or an amendment is allowed. */
  function maySubmit(kind: "submit" | "amend", hasFiles: boolean, now: number): Outcome {
    if (state.status === "APPROVED") return "kyc_already_approved";
    if (kind === "amend" && state.status === "NOT_SUBMITTED") return "not_found";
    if (hasFiles && uploads.filter((at) => now - at < DAY).length >= 10) return "rate_limit_exceeded";
    return "ok";
  }

  function submitted(kind: "submit" | "amend", sent: { front?: string; back?: string }, now: number): void {
    const named = (id: string): ModelFile => ({ id, viewedAt: new Map() });
    if (sent.front) state.front = named(sent.front);
    if (sent.back) state.back = named(sent.back);
    else if (kind === "submit") state.back = undefined;
    if (sent.front || sent.back) uploads.push(now);
    state.status = "PENDING";
    state.reason = null;
    state.version += 1;
    submittedAt = now;
  }

  function view(file: string, reviewer: number, now: number): void {
    files()
      .find(({ id }) => id === file)
      ?.viewedAt.set(reviewer, now);
  }

  function decide(
    status: "APPROVED" | "REJECTED",
    reviewer: number,
    reason: string | null,
    version: number | undefined,
  ): Outcome {
    if (status === "REJECTED" && reason === null) return "validation_error";
    if (state.status === "NOT_SUBMITTED") return "not_found";
    if (state.status === "APPROVED") return "kyc_already_approved";
    if (state.status !== "PENDING") return "conflict";
    if (version !== undefined && version !== state.version) return "kyc_version_stale";
    const hasSeen = files().every(({ viewedAt }) => (viewedAt.get(reviewer) ?? -1) >= submittedAt);
    if (status === "APPROVED" && !hasSeen) return "kyc_not_viewed";
    state.status = status;
    state.reason = reason;
    return "ok";
  }

  const isOpen = ({ file, at }: { file: string; at: number }, now: number) =>
    now - at < 5 * MINUTE && files().some(({ id }) => id === file);

  /** Records a call that crashed: its file is stored and its upload counted, but no row references it. */
  function orphaned(id: string, now: number): void {
    uploads.push(now);
    orphans.set(id, now);
  }

  function sweep(now: number): void {
    for (const [id, at] of orphans) if (now - at > HOUR) orphans.delete(id);
  }

  /** The ids of the files in the bucket. */
  const stored = () => [...files().map(({ id }) => id), ...orphans.keys()].sort();

  return Object.assign(state, { maySubmit, submitted, view, decide, isOpen, orphaned, sweep, stored });
}

export type KycModel = ReturnType<typeof newKycModel>;
