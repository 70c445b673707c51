import { OpenAPIHono } from "@hono/zod-openapi";
import { methodNotAllowed } from "hono/method-not-allowed";
import { getMe, login, register } from "./auth/account.routes.ts";
import { deleteMyAccount } from "./auth/account-deletion.routes.ts";
import { registerMyDevice } from "./auth/device.routes.ts";
import { requestOtp, verifyCode } from "./auth/otp.routes.ts";
import { mountLocalOutbox } from "./delivery/local-outbox.routes.ts";
import type { AppEnv } from "./platform/app-env.ts";
import { mountDebugHeaders } from "./platform/debug.routes.ts";
import { mountDocs } from "./platform/docs.routes.ts";
import { guarded as by, mount } from "./platform/endpoint.ts";
import { AppError } from "./platform/errors.ts";
import { mountHealth } from "./platform/health.routes.ts";
import {
  allowOrigins,
  developmentOnly,
  firstWall,
  identifyRequest,
  logRequest,
  protectResponse,
  provideDeps,
} from "./platform/middleware.ts";
import { respondToError } from "./platform/responses.ts";
import { anyone, signedIn, signedInOrExpired, staffOnly } from "./sessions/guard.ts";
import { mountJwks } from "./sessions/jwks.routes.ts";
import { endMyOtherSessions, endMySession, listMySessions, logout, refresh } from "./sessions/session.routes.ts";
import { getMyKyc, getMyKycStatus, patchMyKyc, postMyKyc } from "./users/kyc.routes.ts";
import { mountKycDocuments } from "./users/kyc-document.routes.ts";
import { getKycSubmissions, patchUserKyc } from "./users/kyc-review.routes.ts";
import { listMyNotifications, readMyNotification } from "./users/notification.routes.ts";
import { getMyProfile, patchMyProfile, putMyProfile } from "./users/profile.routes.ts";
import { getMyUsage } from "./users/usage.routes.ts";
import { getMyWallet } from "./users/wallet.routes.ts";

/** The whole surface: who may call what. */
const endpoints = [
  by(anyone, requestOtp),
  by(anyone, verifyCode),
  by(anyone, register),
  by(anyone, login),
  by(anyone, refresh),
  by(signedInOrExpired, logout),
  by(signedIn, getMe),
  by(signedIn, deleteMyAccount),
  by(signedIn, listMySessions),
  by(signedIn, endMySession),
  by(signedIn, endMyOtherSessions),
  by(signedIn, registerMyDevice),
  by(signedIn, getMyProfile),
  by(signedIn, putMyProfile),
  by(signedIn, patchMyProfile),
  by(signedIn, listMyNotifications),
  by(signedIn, readMyNotification),
  by(signedIn, getMyWallet),
  by(signedIn, getMyUsage),
  by(signedIn, postMyKyc),
  by(signedIn, patchMyKyc),
  by(signedIn, getMyKyc),
  by(signedIn, getMyKycStatus),
  by(staffOnly, getKycSubmissions),
  by(staffOnly, patchUserKyc),
];

/** Routes whose calls cost messages or guesses stand behind the platform's limiter as well. */
const walled = ["/api/auth/otp/request", "/api/auth/otp/verify", "/api/auth/register", "/api/auth/login"];

export const app = new OpenAPIHono<AppEnv>({ strict: false });

app.use(identifyRequest, logRequest, protectResponse, provideDeps, allowOrigins);
app.use(
  methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) =>
      respondToError(new AppError("method_not_allowed", { headers: { Allow: methods.join(", ") } }), c),
  }),
);
for (const path of ["/dev/outbox", "/api/auth/debug/headers"]) app.use(path, developmentOnly);
for (const path of walled) app.post(path, firstWall);
mount(app, "/api", endpoints);
mountKycDocuments(app);
mountHealth(app);
mountDebugHeaders(app);
mountJwks(app);
mountLocalOutbox(app);
mountDocs(app);
app.notFound((c) => respondToError(new AppError("not_found"), c));
app.onError(respondToError);
