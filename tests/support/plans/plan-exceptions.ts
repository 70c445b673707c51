/** Lines of a plan that the net lets through, for a reason that holds however many rows there are. */
export interface PlanException {
  /** The part of a statement that such a line comes from. */
  part: RegExp;
  /** The whole line. */
  line: RegExp;
  reason: string;
}

export const planExceptions: readonly PlanException[] = [
  {
    part: /from "?users"? where false/g,
    line: /^SCAN users(?: USING COVERING INDEX \w+)?$/,
    reason: "SQLite tests the constant before the loop, and reads no row.",
  },
  {
    part: /from users\s+where true and true and true order by (?:date_joined|username_key) \w+(?:, id \w+)?\)\s+limit/g,
    line: /^SCAN users USING INDEX users_(?:joined|username_key)$/,
    reason: "A list without a filter reads its page in the order of the index: its limit and offset end it.",
  },
  {
    part: /order by "sessions"\."id" = \? desc, /g,
    line: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: "Live sessions of one user: the sign-in itself keeps them at ten.",
  },
  {
    part: /count\(distinct upload_id\) from kyc_documents where user_id = \? and created_at > \?/g,
    line: /^USE TEMP B-TREE FOR count\(DISTINCT\)$/,
    reason: "Uploads of one user in a day, which the limit that is counted here ends.",
  },
  {
    part: /order by "devices"\."device_id" = \? desc, "devices"\."last_used_at" desc/g,
    line: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: "Devices of one user, of which the statement itself keeps a fixed number.",
  },
  {
    part: /from users other where other\.role = 'admin'/g,
    line: /^SCAN other USING INDEX users_dormant$/,
    reason: "Read for admins alone.",
  },
  {
    part: /delete from "verification_tokens" where identifier in/g,
    line: /^SCAN verification_tokens$/,
    reason: "Tokens of the last day.",
  },
  {
    part: /from "kyc_documents" where \("kyc_documents"\."state" in/g,
    line: /^SCAN kyc_documents$/,
    reason: "The hourly sweep.",
  },
  {
    part: /from kyc where status = 'REJECTED'/g,
    line: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: "Rejections of the last two weeks.",
  },
  {
    part: /'challenge_ids', json\(\(select/g,
    line: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: "Codes of one person in a day.",
  },
];
