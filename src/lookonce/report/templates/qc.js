
(() => {
  const byId = (id) => document.getElementById(id);
  const nameOf = (card) => card.querySelector("h2").textContent;
  const cards = [...document.querySelectorAll(".card")];
  const states = new Map(); // card -> {verdict, comment, digest}
  const texts = new Map(cards.map((card) => [card, searchText(card)]));
  let current = null;

  function searchText(card) {
    const parts = card.querySelectorAll("h2, .badge, .source, .warning");
    return [...parts].map((part) => part.textContent).join("\n").toLowerCase();
  }

  // What a card is called in exported verdicts: its file, told apart where several cards have the same one.
  const shared = new Set(cards.map((card) => card.dataset.file).filter((file, index, all) => all.indexOf(file) < index));
  const fileOf = (card) => {
    const { file } = card.dataset;
    return shared.has(file) ? `${file} [${nameOf(card)}]` : file;
  };

  // ---- what the browser keeps: one entry for this page and each scan

  const storeKey = (card) => `lookonce-qc:${location.pathname}:${card.dataset.key}`;

  function load(card) {
    let state = {};
    try {
      state = JSON.parse(localStorage.getItem(storeKey(card))) ?? {};
    } catch {
      // Storage is blocked or was edited by hand: begin without verdicts.
    }
    const verdict = Object.hasOwn(VERDICT_LISTS, state.verdict) ? state.verdict : "none";
    states.set(card, { verdict, comment: String(state.comment ?? ""), digest: state.digest });
  }

  function save(card) {
    const state = states.get(card);
    try {
      if (state.verdict === "none" && !state.comment) localStorage.removeItem(storeKey(card));
      else localStorage.setItem(storeKey(card), JSON.stringify(state));
    } catch {
      say("This browser does not keep verdicts for this page: export them before you close it.");
    }
  }

  /** The verdict that counts: one on an earlier result of the scan does not. */
  function verdictOf(card) {
    const state = states.get(card);
    return state.digest === card.dataset.digest ? state.verdict : "none";
  }

  // ---- what the page shows

  const say = (text) => { byId("status").textContent = text; };

  function show(card) {
    const state = states.get(card);
    const verdict = verdictOf(card);
    const given = card.querySelector(".given");
    const outdated = state.verdict !== verdict;
    card.dataset.verdict = verdict;
    given.hidden = state.verdict === "none";
    given.textContent = outdated ? `labelled anew since the verdict "${state.verdict}"` : state.verdict;
    for (const button of card.querySelectorAll(".verdict [aria-pressed]")) {
      button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
    }
    const comment = card.querySelector(".comment");
    if (comment !== document.activeElement) comment.value = state.comment;
  }

  function refresh() {
    const wanted = byId("filter-verdict").value;
    const words = byId("filter-text").value.toLowerCase().split(/\s+/);
    const counts = { pass: 0, fail: 0, artefact: 0, none: 0 };
    let shown = 0;
    for (const card of cards) {
      const verdict = verdictOf(card);
      counts[verdict] += 1;
      card.hidden = !((wanted === "all" || wanted === verdict) && words.every((word) => texts.get(card).includes(word)));
      shown += card.hidden ? 0 : 1;
    }
    byId("nothing").hidden = shown > 0;
    byId("counts").textContent =
      `${counts.pass} pass · ${counts.fail} fail · ${counts.artefact} artefact · ${counts.none} to look at` +
      (shown < cards.length ? ` · ${shown} of ${cards.length} shown` : "");
  }

  // ---- moving and judging

  function select(card, { focus = true } = {}) {
    current?.removeAttribute("aria-current");
    current = card ?? null;
    if (!current) return;
    current.setAttribute("aria-current", "true");
    if (!focus) return;
    current.focus({ preventScroll: true });
    current.scrollIntoView({ block: "start" });
  }

  /** The nearest card that is shown, `step` = 1 after or -1 before `card`. */
  function neighbour(card, step) {
    let index = cards.indexOf(card) + step;
    while (cards[index]?.hidden) index += step;
    return cards[index];
  }

  function judge(card, verdict) {
    if (!card || card.hidden) return;
    Object.assign(states.get(card), { verdict, digest: card.dataset.digest });
    say(`${nameOf(card)}: ${verdict === "none" ? "no verdict" : verdict}`);
    save(card);
    show(card);
    refresh();
    // The verdict may have taken the card out of the filter: go on with the next one.
    if (card.hidden) select(neighbour(card, 1) ?? neighbour(card, -1));
  }

  function toggle(button, name, on) {
    if (button.disabled) return;
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    document.body.classList.toggle(name, pressed === on);
  }

  // ---- verdicts out and in

  function exportVerdicts() {
    const entries = cards.map((card) => {
      return { file: fileOf(card), verdict: verdictOf(card), comment: states.get(card).comment };
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([toYaml(entries)], { type: "application/yaml" }));
    link.download = "qc_verdicts.yml";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(`Exported ${entries.filter((entry) => entry.verdict !== "none").length} verdicts to qc_verdicts.yml.`);
  }

  const baseName = (file) => file.split(/[/\\]/).pop();

  /** The card of a file: by its whole name, or by its last part where only one card has it. */
  function cardOf(file) {
    const exact = cards.find((card) => fileOf(card) === file);
    const alike = cards.filter((card) => baseName(card.dataset.file) === baseName(file));
    return exact ?? (alike.length === 1 ? alike[0] : undefined);
  }

  async function importVerdicts(input) {
    const entries = fromYaml(await input.files[0].text());
    input.value = ""; // so that the same file can be chosen again
    let found = 0;
    for (const { file, verdict, comment } of entries) {
      const card = cardOf(file);
      if (!card) continue;
      found += 1;
      const merged = { verdict: verdict === "none" ? verdictOf(card) : verdict, comment: comment || states.get(card).comment };
      states.set(card, { ...merged, digest: card.dataset.digest });
      save(card);
      show(card);
    }
    refresh();
    const missing = entries.length - found;
    say(`Imported ${found} entries.${missing ? ` ${missing} name no scan of this page.` : ""}`);
  }

  // ---- wiring

  const actions = {
    j: () => select(neighbour(current, 1) ?? current),
    k: () => select(neighbour(current, -1) ?? current),
    1: () => judge(current, "pass"),
    2: () => judge(current, "fail"),
    3: () => judge(current, "artefact"),
    0: () => judge(current, "none"),
    o: () => toggle(byId("toggle-overlay"), "no-overlay", false),
    a: () => toggle(byId("toggle-attention"), "show-attention", true),
    e: exportVerdicts,
  };
  actions.ArrowRight = actions.j;
  actions.ArrowLeft = actions.k;

  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(actions, key)) return;
    event.preventDefault();
    actions[key]();
  });
  for (const card of cards) {
    card.addEventListener("focusin", () => select(card, { focus: false }));
    card.addEventListener("click", (event) => {
      select(card, { focus: false });
      const button = event.target.closest(".verdict button");
      if (button) judge(card, button.dataset.verdict);
    });
    card.querySelector(".comment").addEventListener("input", (event) => {
      states.get(card).comment = event.target.value.trim();
      save(card);
    });
  }
  byId("toggle-overlay").addEventListener("click", actions.o);
  byId("toggle-attention").addEventListener("click", actions.a);
  byId("export").addEventListener("click", exportVerdicts);
  byId("import").addEventListener("change", (event) => importVerdicts(event.target));
  byId("filter-verdict").addEventListener("change", filterChanged);
  byId("filter-text").addEventListener("input", filterChanged);

  function filterChanged() {
    refresh();
    if (!current || current.hidden) select(neighbour(null, 1), { focus: false });
  }

  function loadAll() {
    for (const card of cards) {
      load(card);
      show(card);
    }
    refresh();
  }

  function clearTheBar() {
    const bar = document.querySelector(".bar");
    const height = getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
    document.documentElement.style.scrollPaddingTop = `${height + 8}px`;
  }

  window.addEventListener("storage", loadAll); // the same page in another tab
  new ResizeObserver(clearTheBar).observe(document.querySelector(".bar"));
  loadAll();
  select(neighbour(null, 1), { focus: false });
})();
