import { errorCatalogue } from "../../src/platform/http/errors.ts";
import { fieldErrorCatalogue } from "../../src/platform/http/field-errors.ts";
import { code, table } from "./markdown.ts";

export const errorTable = () =>
  table(
    ["Code", "Status", "English", "Nepali"],
    Object.entries(errorCatalogue).map(([name, { status, message }]) => [code(name), status, message.en, message.ne]),
  );

export const fieldErrorTable = () =>
  table(
    ["Code", "English", "Nepali"],
    Object.entries(fieldErrorCatalogue).map(([name, { en, ne }]) => [code(name), en, ne]),
  );
