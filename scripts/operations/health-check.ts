import { type Deployment, StepFailed } from "./deployment.ts";

const TRIES = 24;
const PAUSE_MS = 5_000;

interface Expected {
  /** The version that must respond; any if absent. */
  versionId?: string | undefined;
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
  let last = "no response";
  for (let tries = 0; tries < TRIES; tries++) {
    if (tries > 0) await deployment.wait(PAUSE_MS);
    const { status, text } = await deployment.get(url, headers);
    const answering = versionIn(text);
    if (status === 200 && (versionId === undefined || answering === versionId)) return;
    last =
      status === 0
        ? "no response"
        : status === 200
          ? `version ${answering} responds, not ${versionId}`
          : `${status} ${text.slice(0, 500)}`;
  }
  throw new StepFailed(
    last,
    `Wait some minutes if the domain is new: its certificate may not be ready. Otherwise check npx wrangler tail --env ${deployment.env}`,
  );
}

/** Whether the service responds at its address, healthy or not. */
export async function isServing(deployment: Deployment): Promise<boolean> {
  const { text } = await deployment.get(`${deployment.origin}/api/health`);
  return healthIn(text)?.bindings !== undefined;
}

const versionIn = (text: string): string => healthIn(text)?.version_id ?? "unknown";

/** The state in a response of `GET /api/health`; undefined if it is none. */
export function healthIn(text: string): { bindings?: object; version_id?: string | null } | undefined {
  try {
    return (JSON.parse(text) as { data?: { bindings?: object } }).data;
  } catch {
    return undefined;
  }
}
