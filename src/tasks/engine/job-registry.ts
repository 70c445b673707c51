import { checkUserCounts } from "../check-user-counts.ts";
import { checkUserSearch } from "../check-user-search.ts";
import { cleanupExpiredAuditLogs } from "../cleanup-expired-audit-logs.ts";
import { cleanupUnlinkedSocialAccounts } from "../cleanup-unlinked-social-accounts.ts";
import { countHours } from "../count-hours.ts";
import { deactivateInactiveUsers } from "../deactivate-inactive-users.ts";
import { purgeExpiredRows } from "../purge-expired-rows.ts";
import { purgeExpiredSessions } from "../purge-expired-sessions.ts";
import { reapplyAccountDeletions } from "../reapply-account-deletions.ts";
import { rebuildUserSearch } from "../rebuild-user-search.ts";
import { remindUnverifiedPeople } from "../send-kyc-verification-reminder.ts";
import { remindIncompleteProfiles } from "../send-profile-completion-reminder.ts";
import { sweepKycUploads } from "../sweep-kyc-uploads.ts";
import type { Job } from "./job.ts";

/** All jobs: the periodic ones and those started by an operator. */
export const jobs: readonly Job[] = [
  purgeExpiredRows,
  purgeExpiredSessions,
  cleanupExpiredAuditLogs,
  deactivateInactiveUsers,
  remindIncompleteProfiles,
  cleanupUnlinkedSocialAccounts,
  remindUnverifiedPeople,
  sweepKycUploads,
  countHours,
  checkUserSearch,
  checkUserCounts,
  rebuildUserSearch,
  reapplyAccountDeletions,
];
