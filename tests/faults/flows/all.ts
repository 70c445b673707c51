import type { Flow } from "../flow-table.ts";
import { consoleFlows } from "./console.ts";
import { identityFlows } from "./identity.ts";
import { jobFlows } from "./jobs.ts";
import { kycFlows } from "./kyc.ts";
import { passkeyFlows } from "./passkeys.ts";
import { platformFlows } from "./platform.ts";
import { providerFlows } from "./providers.ts";
import { signInFlows } from "./sign-in.ts";
import { socialFlows } from "./social.ts";
import { staffFlows } from "./staff.ts";
import { taskFlows } from "./tasks.ts";
import { userFlows } from "./users.ts";
import { webhookFlows } from "./webhooks.ts";

/** All flows: the success of each route, queue message and job. */
export const allFlows: readonly Flow[] = [
  ...signInFlows,
  ...identityFlows,
  ...passkeyFlows,
  ...socialFlows,
  ...userFlows,
  ...kycFlows,
  ...staffFlows,
  ...consoleFlows,
  ...taskFlows,
  ...platformFlows,
  ...webhookFlows,
  ...providerFlows,
  ...jobFlows,
];
