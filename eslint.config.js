import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: [".venv*/", "build/", "dist/", "site/", "examples/browser/node_modules/", "benchmarks/others/node_modules/"] },
  {
    files: ["**/*.{js,mjs}"],
    ...js.configs.recommended,
    languageOptions: { globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...js.configs.recommended.rules,
      "consistent-return": "error",
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "max-lines": ["error", 250],
      "no-implicit-coercion": "error",
      "no-shadow": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
  },
  { files: ["benchmarks/**/*.mjs"], languageOptions: { globals: globals.node } },
];
