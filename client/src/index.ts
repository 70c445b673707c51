export type { CallOptions, Data, Input, Operation } from "./call.ts";
export { createUsersClient, type UsersClient } from "./client.ts";
export { type ClientCode, isUsersError, UsersApiError, type UsersError } from "./errors.ts";
export type * from "./generated.ts";
export type { Options } from "./options.ts";
export type { Progress } from "./runtime.ts";
export type { SignedOutReason, TokenPair } from "./session.ts";
export { itemStorage, memoryStorage, type TokenStorage } from "./storage.ts";
export type { Upload } from "./upload.ts";
