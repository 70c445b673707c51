/** What the clients were told, in the shape that the proof holds against the databases. */
export interface Journal {
  people: Person[];
  /** Events that no user stands behind, or that are no events: a dead letter each. */
  hopelessEvents: number;
  /** Answers that broke a promise, in words; the first hundred. */
  problems: string[];
  calls: CallCounts[];
  /** Answers thrown away, and connections broken off, before the call was made again. */
  lostAnswers: number;
  brokenConnections: number;
  /** Slots of the asked rate that found no client free. */
  missedSlots: number;
  seconds: number;
}

/** Answers of one route with one status and error code. */
export interface CallCounts {
  route: string;
  /** 0 where no answer came. */
  status: number;
  code: string;
  isExpected: boolean;
  milliseconds: number[];
}

export interface Session {
  id: string;
  access: string;
  /** The live refresh token, and those before it, oldest first. */
  refresh: string;
  earlier: string[];
  ip: string;
  hasEnded: boolean;
}

/** A user as the answers say they must be now. */
export interface Person {
  userId: string;
  /** Canonical. */
  identifier: string;
  ip: string;
  referralCode: string;
  sessions: Session[];
  status: "ACTIVE" | "BANNED";
  isDeleted: boolean;
  /** A call of theirs had an answer that the script has no place for: nothing is known of what followed. */
  isUncertain: boolean;
  /** How often each `ACTION entity_type` must be in the audit log. */
  audits: Record<string, number>;
  /** How many of each notification of staff's acts there must be. */
  notices: Record<string, number>;
  profile: Record<string, string>;
  kyc: { version: number; status: "PENDING" | "APPROVED" | "REJECTED"; files: number } | undefined;
  devices: number;
  bonuses: number;
  /** Of events told by the platform, each once however often it was told. */
  eventIds: string[];
  walletMinor: number;
  points: number;
  totalPoints: number;
  totalRentals: number;
  timelyReturns: number;
  lateReturns: number;
  spentMinor: number;
  favorites: string[];
  /** Who gets points with this person's first return. */
  inviter: string | undefined;
  referrals: number;
}

/** Somebody who has just been told that they have an account. */
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

/** Notes that one more of these must be there. */
export function count(counts: Record<string, number>, name: string, more = 1): void {
  counts[name] = (counts[name] ?? 0) + more;
}

export const liveSessions = (person: Person) => person.sessions.filter(({ hasEnded }) => !hasEnded);
