/** What the responses reported, in the form that is compared with the databases. */
export interface Journal {
  people: Person[];
  /** Events of unknown users and invalid events: each becomes a dead letter. */
  invalidEvents: number;
  /** The first hundred unexpected responses, in words. */
  problems: string[];
  calls: CallCounts[];
  /** Discarded responses and aborted connections; the calls were repeated. */
  lostAnswers: number;
  brokenConnections: number;
  /** Slots of the requested rate for which no client was free. */
  missedSlots: number;
  seconds: number;
}

/** Responses of one route with one status and error code. */
export interface CallCounts {
  route: string;
  /** 0 without a response. */
  status: number;
  code: string;
  isExpected: boolean;
  milliseconds: number[];
}

export interface Session {
  id: string;
  access: string;
  /** The current refresh token, and the earlier ones, oldest first. */
  refresh: string;
  earlier: string[];
  ip: string;
  hasEnded: boolean;
}

/** The expected state of a user according to the responses. */
export interface Person {
  userId: string;
  /** Canonical. */
  identifier: string;
  ip: string;
  referralCode: string;
  sessions: Session[];
  status: "ACTIVE" | "BANNED";
  isDeleted: boolean;
  /** A call had an unexpected response, so what followed is unknown. */
  isUncertain: boolean;
  /** Expected number of audit rows per `ACTION entity_type`. */
  audits: Record<string, number>;
  /** Expected number of notifications of each staff action. */
  notices: Record<string, number>;
  profile: Record<string, string>;
  kyc: { version: number; status: "PENDING" | "APPROVED" | "REJECTED"; files: number } | undefined;
  devices: number;
  bonuses: number;
  /** Ids of events from the platform, each once however often it was sent. */
  eventIds: string[];
  walletMinor: number;
  points: number;
  totalPoints: number;
  totalRentals: number;
  timelyReturns: number;
  lateReturns: number;
  spentMinor: number;
  favorites: string[];
  /** The user who gets points when this user first returns a rental. */
  inviter: string | undefined;
  referrals: number;
}

/** A user whose account was just created. */
export function newPerson(userId: string, identifier: string, ip: string): Person {
  return {
    userId,
    identifier,
    ip,
    referralCode: "",
    sessions: [],
    status: "ACTIVE",
    isDeleted: false,
    isUncertain: false,
    audits: {},
    notices: {},
    profile: {},
    kyc: undefined,
    devices: 0,
    bonuses: 0,
    eventIds: [],
    walletMinor: 0,
    points: 0,
    totalPoints: 0,
    totalRentals: 0,
    timelyReturns: 0,
    lateReturns: 0,
    spentMinor: 0,
    favorites: [],
    inviter: undefined,
    referrals: 0,
  };
}

/** Increments an expected count. */
export function count(counts: Record<string, number>, name: string, more = 1): void {
  counts[name] = (counts[name] ?? 0) + more;
}

export const liveSessions = (person: Person) => person.sessions.filter(({ hasEnded }) => !hasEnded);
