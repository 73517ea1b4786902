"use strict";

// Verdicts as the lists that Spinal Cord Toolbox users know, and back. No page is needed here: the tests run it alone.
const VERDICT_LISTS = { pass: "FILES_PASS", fail: "FILES_FAIL", artefact: "FILES_ARTEFACT" };

/** YAML text of a list of {file, verdict, comment}. */
function toYaml(entries) {
  const lines = ["# Verdicts of a LookOnce QC page"];
  for (const [verdict, list] of Object.entries(VERDICT_LISTS)) {
    const files = entries.filter((entry) => entry.verdict === verdict);
    lines.push(files.length ? `${list}:` : `${list}: []`);
    lines.push(...files.map((entry) => `- ${quoted(entry.file)}`));
  }
  const remarks = entries.filter((entry) => entry.comment);
  lines.push(remarks.length ? "COMMENTS:" : "COMMENTS: {}");
  lines.push(...remarks.map((entry) => `  ${quoted(entry.file)}: ${quoted(entry.comment)}`));
  return `${lines.join("\n")}\n`;
}

/** List of {file, verdict, comment} from such YAML, also written by hand: quotes are optional, "# ..." is a comment. */
function fromYaml(text) {
  const entries = new Map();
  const entryOf = (file) => entries.get(file) ?? entries.set(file, { file, verdict: "none", comment: "" }).get(file);
  let list = "";
  for (const line of text.replace(/^\ufeff/, "").split(/\r?\n/)) {
    const [, heading] = /^([A-Z_]+):/.exec(line) ?? [];
    const [, item] = /^\s*-\s+(.*)$/.exec(line) ?? [];
    const [, key, value] = /^\s+("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|.*?):\s+(.*)$/.exec(line) ?? [];
    const verdict = Object.keys(VERDICT_LISTS).find((name) => VERDICT_LISTS[name] === list);
    if (heading) list = heading;
    else if (verdict && item) {
      const [file, remark] = scalar(item);
      Object.assign(entryOf(file), { verdict }, remark && { comment: remark });
    } else if (list === "COMMENTS" && key) entryOf(scalar(key)[0]).comment = scalar(value)[0];
  }
  return [...entries.values()];
}

/** A JSON string is a YAML string, once the characters are escaped that YAML forbids in a text. */
function quoted(text) {
  const unsafe = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;
  return JSON.stringify(text).replace(unsafe, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Value and trailing remark of one YAML scalar. */
function scalar(text) {
  const [, double, single, plain, remark] =
    /^(?:("(?:[^"\\]|\\.)*")|'((?:[^']|'')*)'|(.*?))(?:\s+#\s*(.*))?$/.exec(text.trim()) ?? [];
  if (double !== undefined) return [parsed(double), remark ?? ""];
  return [single !== undefined ? single.replaceAll("''", "'") : (plain ?? ""), remark ?? ""];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(1, -1);
  }
}
