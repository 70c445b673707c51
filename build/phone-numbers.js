// Replaces libphonenumber-js/max in the Worker's bundle (see `alias` in wrangler.toml). The library holds the rules of all
// countries as an object of 155 KB, which is parsed and built whenever an isolate starts. Here they are one string, which
// scripts/build-assets.ts writes, and the first call that concerns a phone number parses it. A test compares both.
import {
  getCountryCallingCode as callingCode,
  isSupportedCountry as isSupported,
  parsePhoneNumberFromString as parse,
} from "libphonenumber-js/core";
import rulesAsJson from "../dist/phone-rules.js";

let rules;

function phoneRules() {
  rules ??= JSON.parse(rulesAsJson);
  return rules;
}

export const parsePhoneNumberFromString = (text, options) => parse(text, options, phoneRules());
export const isSupportedCountry = (country) => isSupported(country, phoneRules());
export const getCountryCallingCode = (country) => callingCode(country, phoneRules());
