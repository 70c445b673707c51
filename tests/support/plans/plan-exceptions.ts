/** Plan lines that are allowed, for a reason that does not depend on the number of rows. */
export interface PlanException {
  /** The part of a statement that causes the line. */
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
    part: /in \(select entity_id from audit_logs where actor_id = \? and by_staff = 1 and id > substr\(\?, 1, 24\) and id < substr\(\?, 1, 24\) \|\| 'g'\) order by created_at, id/g,
    line: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: "The dead letters of one call, at most 50.",
  },
  {
    part: /"kyc_document_views"\."viewer_id" <> kyc\.user_id\)? order by "kyc_document_views"\."viewed_at" desc limit/g,
    line: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: "One row for each file of a submission and each member of staff who has seen it.",
  },
  {
    part: /users\.id > user_counts\.recounted_to order by users\.id limit/g,
    line: /^USE TEMP B-TREE FOR (?:GROUP|ORDER) BY$/,
    reason: "The users of one step of the job, and the numbers of 48 filters.",
  },
];
