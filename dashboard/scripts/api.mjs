// Generates `src/api/schema.ts` from metrics-api's OpenAPI document, so that no type of the API is
// written by hand. With `--check` it writes nothing and fails when the committed file is stale:
// `npm run api:check` in the tests, `npm run api` after a change of the API.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import openapiTS, { astToString } from "openapi-typescript";

const DOCUMENT = new URL("../../metrics-api/openapi.json", import.meta.url);
const TARGET = new URL("../src/api/schema.ts", import.meta.url);

const HEADER = `/**
 * The types of the API, made from \`metrics-api/openapi.json\` by \`npm run api\`. Do not edit.
 */

`;

/** The text that the target must have for the present document. */
async function generate() {
  const nodes = await openapiTS(DOCUMENT, {
    immutable: true,
    enumValues: true,
    defaultNonNullable: false,
  });
  return HEADER + astToString(nodes);
}

/** The text that the target has; empty when it does not exist. */
async function committed() {
  try {
    return await readFile(TARGET, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return "";
    }
    throw error;
  }
}

const wanted = await generate();
const present = await committed();

if (process.argv.includes("--check")) {
  if (wanted !== present) {
    console.error(
      `${fileURLToPath(TARGET)} does not match ${fileURLToPath(DOCUMENT)}: run \`npm run api\` and commit it`,
    );
    process.exitCode = 1;
  }
} else if (wanted === present) {
  console.log("src/api/schema.ts is up to date");
} else {
  await writeFile(TARGET, wanted);
  console.log("src/api/schema.ts written");
}
