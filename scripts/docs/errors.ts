import { type ErrorCode, errorCatalogue } from "../../src/platform/http/errors.ts";
import { fieldErrorCatalogue } from "../../src/platform/http/field-errors.ts";
import { errorGuide } from "./error-guide.ts";
import { code, table } from "./markdown.ts";

export const errorTable = () =>
  table(
    ["Code", "Status", "When", "What an app does"],
    Object.entries(errorCatalogue).map(([name, { status }]) => {
      const { when, action } = errorGuide[name as ErrorCode];
      return [code(name), status, when, action];
    }),
  );

export const errorTextTable = () =>
  table(
    ["Code", "English", "Nepali"],
    Object.entries(errorCatalogue).map(([name, { message }]) => [code(name), message.en, message.ne]),
  );

export const fieldErrorTable = () =>
  table(
    ["Code", "English", "Nepali"],
    Object.entries(fieldErrorCatalogue).map(([name, { en, ne }]) => [code(name), en, ne]),
  );
