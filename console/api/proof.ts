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
let withdraw: (() => void) | undefined;

/** Sets the function that shows questions. Undefined removes it and answers the open question with no. */
export function showQuestions(by: ((question: Question) => void) | undefined): void {
  show = by;
  if (!by) withdraw?.();
}

/**
 * Asks the person to prove the session. Calls that need a proof at the same time share one question.
 *
 * @returns whether it is proved.
 */
export function prove(refusal: Refusal): Promise<boolean> {
  asked ??= new Promise<boolean>((answer) => {
    withdraw = () => answer(false);
    if (show) show({ refusal, answer });
    else answer(false);
  }).finally(() => {
    asked = undefined;
    withdraw = undefined;
  });
  return asked;
}
