import type { Refusal } from "./refusal.ts";

/** Codes of refusals that a proof lifts. */
export const PROOF_CODES: readonly string[] = ["passkey_required", "reauthentication_required"];

/** What the person is asked for, and what happens with the answer. */
export interface Question {
  refusal: Refusal;
  /** Called with whether the session is proved. */
  answer: (isProved: boolean) => void;
}

let show: ((question: Question) => void) | undefined;
let asked: Promise<boolean> | undefined;

/** Tells who shows the question. */
export function showQuestions(by: ((question: Question) => void) | undefined): void {
  show = by;
}

/** Asks the person to prove the session, once for calls that need it at the same time. @returns whether it is proved. */
export function prove(refusal: Refusal): Promise<boolean> {
  asked ??= new Promise<boolean>((answer) => {
    if (show) show({ refusal, answer });
    else answer(false);
  }).finally(() => {
    asked = undefined;
  });
  return asked;
}
