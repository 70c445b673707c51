// Loaded by a dynamic import on the first call that needs it, so that the library costs nothing when an isolate starts.

export { verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";
export { decodeAttestationObject, isoCBOR, verifySignature } from "@simplewebauthn/server/helpers";
