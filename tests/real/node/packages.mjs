// The packages live in .test-env and not beside these files, where `import` would look.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder tests/real. */
export const here = dirname(dirname(fileURLToPath(import.meta.url)));
export const packages = join(here, "../../.test-env/node");
export const require = createRequire(join(packages, "package.json"));
