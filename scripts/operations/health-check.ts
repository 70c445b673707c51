import { type Deployment, StepFailed } from "./deployment.ts";

const DEADLINE_MS = 120_000;
/** How long a call that gets no response of the service is repeated. */
const SILENCE_MS = 60_000;
const PAUSE_MS = 5_000;

interface Expected {
  /** The version that must respond. */
  versionId: string;
  /** Whether the request asks for this version, which serves only a share of the traffic. */
  isOverride?: boolean;
}

/**
 * Calls `GET /api/health` for up to two minutes, until the expected version reports that all bindings respond. The old
 * version responds too, so the status alone proves nothing.
 *
 * @throws StepFailed with the last response.
 */
export async function waitUntilHealthy(deployment: Deployment, { versionId, isOverride = false }: Expected) {
  const url = `${deployment.origin}/api/health`;
  const { name } = deployment.config();
  const headers = isOverride ? { "Cloudflare-Workers-Version-Overrides": `${name}="${versionId}"` } : {};
  const until = deployment.now() + DEADLINE_MS;
  let last: string;
  for (;;) {
    const { status, text } = await deployment.get(url, headers);
    const answering = versionIn(text);
    if (status === 200 && answering === versionId) return;
    last =
      status === 0
        ? "no response"
        : status === 200
          ? `version ${answering} responds, not ${versionId}`
          : `${status} ${text.slice(0, 500)}`;
    if (deployment.now() + PAUSE_MS > until) break;
    await deployment.wait(PAUSE_MS);
  }
  throw new StepFailed(
    last,
    `Wait some minutes if the domain is new: its certificate may not be ready. Otherwise check npx wrangler tail --env ${deployment.env}`,
  );
}

/** Whether the service responds at its address within a minute, healthy or not, or refusing its configuration. */
export async function isServing(deployment: Deployment): Promise<boolean> {
  const until = deployment.now() + SILENCE_MS;
  for (;;) {
    const { text } = await deployment.get(`${deployment.origin}/api/health`);
    const body = bodyIn(text);
    // Every error of the service has a request id; pages of Cloudflare and of other servers have none.
    if (body?.data?.bindings !== undefined || body?.request_id !== undefined) return true;
    if (deployment.now() + PAUSE_MS > until) return false;
    await deployment.wait(PAUSE_MS);
  }
}

const versionIn = (text: string): string => healthIn(text)?.version_id ?? "unknown";

interface Body {
  data?: { bindings?: object; version_id?: string | null };
  request_id?: string;
}

/** The health in a response body of `GET /api/health`; undefined if there is none. */
export const healthIn = (text: string) => bodyIn(text)?.data;

function bodyIn(text: string): Body | undefined {
  try {
    return (JSON.parse(text) as Body | null) ?? undefined;
  } catch {
    return undefined;
  }
}
