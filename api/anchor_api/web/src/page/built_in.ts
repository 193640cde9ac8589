/** The policy that ships with the release, byte for byte: anchor/policies/default.json. */
import text from "../../../../../anchor/policies/default.json?raw";
import { toUtf8 } from "../bytes/text.ts";

export const BUILT_IN_POLICY = toUtf8(text);
