import { deliverOtp } from "../deliver-otp.ts";
import { deliverPush } from "../deliver-push.ts";
import { deliverWebhook } from "../deliver-webhook.ts";
import { finishAccountDeletion } from "../finish-account-deletion.ts";
import { generateUserAnalyticsReport } from "../generate-user-analytics-report.ts";
import { notifyKycStatus } from "../notify-kyc-status.ts";
import { notifySecurityEvents } from "../notify-security-events.ts";
import { reapplyAccountDeletion } from "../reapply-account-deletions.ts";
import { recordPlatformEventTask } from "../record-platform-event.ts";
import { revokeSocialToken } from "../revoke-social-token.ts";
import { sendKycVerificationReminder } from "../send-kyc-verification-reminder.ts";
import { sendProfileCompletionReminder } from "../send-profile-completion-reminder.ts";
import { sendSecurityMessage } from "../send-security-message.ts";
import { sendSocialAuthWelcomeMessage } from "../send-social-auth-welcome-message.ts";
import { syncUserDataWithExternalServices } from "../sync-user-data-with-external-services.ts";
import { updateUserLastActivity } from "../update-user-last-activity.ts";
import { updateUserSearch } from "../update-user-search.ts";
import { runDueJob } from "./run-due-job.ts";
import type { Task } from "./task.ts";

/** All tasks. */
export const tasks: readonly Task[] = [
  deliverOtp,
  deliverPush,
  deliverWebhook,
  finishAccountDeletion,
  generateUserAnalyticsReport,
  notifyKycStatus,
  notifySecurityEvents,
  reapplyAccountDeletion,
  recordPlatformEventTask,
  revokeSocialToken,
  runDueJob,
  sendKycVerificationReminder,
  sendProfileCompletionReminder,
  sendSecurityMessage,
  sendSocialAuthWelcomeMessage,
  syncUserDataWithExternalServices,
  updateUserLastActivity,
  updateUserSearch,
];

const byType: ReadonlyMap<string, Task> = new Map(tasks.flatMap((task) => task.types.map((type) => [type, task])));

/** The task that handles events of the type; undefined if there is none. */
export function findTask(type: string): Task | undefined {
  return byType.get(type);
}
