// Whether an API description keeps what the last release promised.
//
// usage: node changes.mjs RELEASED CURRENT CHANGELOG   refuses breaking changes, unless the version allows them
//        node changes.mjs planted CURRENT              finds out whether breaking changes would be refused
//
// `redocly diff` compares; what it does not know are the extensions that say who may call an operation.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { cases, planted } from "./planted.mjs";

const CONFIG = join(dirname(fileURLToPath(import.meta.url)), "redocly.yaml");
const METHODS = ["get", "put", "post", "delete", "patch"];
// From the lowest to the highest. An operation may come to be open to lower ones.
const ROLES = ["viewer", "staff", "manager", "admin", "owner"];

/** What changed: `{ where, what, breaks }` each, and the versions. */
function compare(base, revision) {
    const folder = mkdtempSync(join(tmpdir(), "appointd-changes-"));
    try {
        const [before, after, report] = ["base.json", "revision.json", "report.json"].map((name) => join(folder, name));
        writeFileSync(before, JSON.stringify(base));
        writeFileSync(after, JSON.stringify(revision));
        const options = ["--config", CONFIG, "--fail-on", "none", "--format", "json", "--output", report];
        const ran = spawnSync("redocly", ["diff", before, after, ...options], { encoding: "utf8" });
        if (ran.status !== 0 || !existsSync(report)) {
            throw new Error(`redocly diff failed: ${ran.error ?? ran.stderr}`);
        }
        const { changes } = JSON.parse(readFileSync(report, "utf8"));
        return changes.map(described).concat(callers(base, revision));
    } finally {
        rmSync(folder, { recursive: true });
    }
}

function described(change) {
    const messages = change.verdicts.map((verdict) => verdict.message);
    const what = messages.length > 0 ? messages.join(" ") : [change.kind, change.property].filter(Boolean).join(" ");
    const pointers = [change.path, change.base?.pointer, change.revision?.pointer].filter(Boolean);
    return { where: pointers[0], pointers, what, breaks: change.impact === "major", impact: change.impact };
}

/** Changes of who may call an operation. */
function callers(base, revision) {
    const changes = [];
    for (const [path, item] of Object.entries(base.paths)) {
        for (const method of METHODS.filter((method) => item[method] && revision.paths[path]?.[method])) {
            const [before, after] = [item[method], revision.paths[path][method]];
            for (const name of ["x-required-role", "x-required-feature", "x-required-scope"]) {
                if (before[name] === after[name]) continue;
                const ranks = [before[name], after[name]].map((role) => ROLES.indexOf(role));
                const opened = after[name] === undefined || (ranks[1] >= 0 && ranks[1] < ranks[0]);
                const where = `${path}/${method}`;
                const what = `\`${name}\` was ${before[name]} and is ${after[name]}.`;
                changes.push({ where, pointers: [where], what, breaks: !opened, impact: opened ? "minor" : "major" });
            }
        }
    }
    return changes;
}

/** Whether a version may break what an earlier one promised: see docs/api.md. */
function mayBreak(before, after) {
    const [[major, minor], [nextMajor, nextMinor]] = [before, after].map((text) => text.split(".").map(Number));
    return nextMajor > major || (major === 0 && nextMajor === 0 && nextMinor > minor);
}

/** The lines of a section of the changelog: those of the API that are not released. */
function unreleased(changelog) {
    const [, section = ""] = changelog.split(/^## Unreleased$/m);
    const [, api = ""] = section.split(/^## /m)[0].split(/^### API$/m);
    return api.split(/^### /m)[0].split("\n").filter((line) => line.startsWith("* "));
}

function check(released, current, changelog) {
    const changes = compare(released, current);
    const breaking = changes.filter((change) => change.breaks);
    const [before, after] = [released.info.version, current.info.version];
    for (const { where, what } of breaking) console.log(`breaks: ${where}: ${what}`);
    console.log(`since ${before}: ${changes.length} changes, of which ${breaking.length} break clients`);
    if (breaking.length > 0 && !mayBreak(before, after)) {
        console.error(`version ${after} must not break clients of ${before}: see "Versions" in docs/api.md`);
        return false;
    }
    if (changes.some((change) => change.impact !== "patch") && unreleased(changelog).length === 0) {
        console.error('the description has changed: CHANGELOG.md needs a line under "Unreleased", "API"');
        return false;
    }
    return true;
}

/** Whether each planted change is found to be what it is. */
function checkPlanted(current) {
    let wrong = 0;
    const expect = (name, breaks, changes) => {
        const found = changes.some((change) => change.breaks);
        if (changes.length === 0 || found !== breaks) {
            wrong += 1;
            const what = changes.map((change) => `${change.impact} ${change.where}: ${change.what}`).join("\n  ");
            console.error(`${name}: should ${breaks ? "" : "not "}break clients\n  ${what || "no change was found"}`);
        }
    };
    const [base, revision] = planted();
    const changes = compare(base, revision);
    for (const { id, name, breaks } of cases) {
        expect(name, breaks, changes.filter(({ pointers }) => pointers.some((pointer) => pointer.includes(id))));
    }
    // The same of the description as it is, with one change each.
    const [[path, item]] = Object.entries(current.paths);
    const without = structuredClone(current);
    delete without.paths[path];
    expect(`the description without ${path}`, true, compare(current, without));
    const more = structuredClone(current);
    more.paths["/api/v1/planted"] = item;
    expect("the description with one more path", false, compare(current, more));
    const allowed = [["0.1.0", "0.2.0"], ["0.1.9", "1.0.0"], ["1.4.0", "2.0.0"]];
    const refused = [["0.1.0", "0.1.1"], ["1.4.0", "1.5.0"], ["1.4.0", "1.4.0"]];
    for (const [before, after] of [...allowed, ...refused]) {
        if (mayBreak(before, after) !== allowed.some(([a, b]) => a === before && b === after)) {
            wrong += 1;
            console.error(`${before} to ${after} is not judged as docs/api.md says`);
        }
    }
    const lines = unreleased("## Unreleased\n\n### Added\n\n* a\n\n### API\n\n* b\n\n## 1\n\n### API\n\n* c\n");
    if (lines.join() !== "* b") {
        wrong += 1;
        console.error(`the lines of the changelog are not found: ${lines}`);
    }
    const breaking = cases.filter((planted) => planted.breaks).length;
    const harmless = cases.length - breaking;
    console.log(`planted: ${breaking} breaking and ${harmless} harmless changes, ${wrong} judged wrongly`);
    return wrong === 0;
}

const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const [first, second, third] = process.argv.slice(2);
const isPlanted = first === "planted";
const passed = isPlanted ? checkPlanted(read(second)) : check(read(first), read(second), readFileSync(third, "utf8"));
process.exitCode = passed ? 0 : 1;
