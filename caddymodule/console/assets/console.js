// All pages work without this script. It shows times in the reader's zone, copies
// bytes, and keeps pages current.
"use strict";

// Times: the reader's zone, with the exact time of the server in the title.
function showTimes(root) {
	for (const time of root.querySelectorAll("time[datetime]:not([data-shown])")) {
		const at = new Date(time.dateTime);
		const isToday = at.toDateString() === new Date().toDateString();
		const options = { hour: "2-digit", minute: "2-digit", hour12: false };
		if (time.dataset.precision === "second") options.second = "2-digit";
		if (!isToday) Object.assign(options, { day: "numeric", month: "short" });
		if (at.getFullYear() !== new Date().getFullYear()) options.year = "numeric";
		time.textContent = at.toLocaleString("en-GB", options).replace(",", "");
		time.title = time.dateTime.replace("T", " ").replace("Z", " UTC");
		time.dataset.shown = "";
	}
}

// Copying: the bytes as they are, not as they are shown.
function addCopyButtons(root) {
	for (const link of root.querySelectorAll("a[data-copy]")) {
		const button = document.createElement("button");
		button.type = "button";
		button.textContent = "Copy";
		button.addEventListener("click", async () => {
			try {
				const answer = await fetch(link.href);
				if (!answer.ok) throw new Error(answer.statusText);
				await copy(await answer.text());
				button.textContent = "Copied";
			} catch {
				button.textContent = "Not copied";
			}
			setTimeout(() => { button.textContent = "Copy"; }, 2000);
		});
		link.before(button, " ");
		link.removeAttribute("data-copy");
	}
}

async function copy(text) {
	if (navigator.clipboard) return navigator.clipboard.writeText(text);
	const area = document.createElement("textarea"); // for plain http
	area.value = text;
	document.body.append(area);
	area.select();
	const isCopied = document.execCommand("copy");
	area.remove();
	if (!isCopied) throw new Error("not copied");
}

// "Select all" for the list of dead letters.
function addSelectAll() {
	const head = document.querySelector("thead .pick");
	const boxes = document.querySelectorAll("tbody input[name=pick]");
	if (!head || !boxes.length) return;
	const all = document.createElement("input");
	all.type = "checkbox";
	all.setAttribute("aria-label", "Select all on this page");
	all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; });
	head.append(all);
}

// prepare does to a part of a page what the script does to all of it.
function prepare(root) {
	showTimes(root);
	addCopyButtons(root);
}

async function load(url) {
	const answer = await fetch(url, { headers: { Accept: "text/html" } });
	if (!answer.ok || answer.redirected && new URL(answer.url).pathname !== location.pathname) throw new Error(answer.status);
	return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// replace puts the new form of an element in the place of the old one, unless it is in
// use: it has the focus, or something in it is selected.
function replace(old, next) {
	if (!old || !next) return;
	prepare(next);
	const selection = getSelection();
	if (old.isEqualNode(next) || selection && !selection.isCollapsed && old.contains(selection.anchorNode)) return;
	const focused = old.contains(document.activeElement) ? places(old).indexOf(document.activeElement) : -1;
	const open = [...old.querySelectorAll("details")].map((details) => details.open);
	const shown = document.importNode(next, true);
	[...shown.querySelectorAll("details")].forEach((details, i) => { if (open[i]) details.open = true; });
	old.replaceWith(shown);
	if (focused >= 0 && places(shown)[focused]) places(shown)[focused].focus({ preventScroll: true });
}

function places(root) {
	return [...root.querySelectorAll("a, button, input, summary, [tabindex]")];
}

// Refreshing: the parts that have an id, while the page can be seen.
function keepCurrent(main) {
	let seconds = Number(main.dataset.refresh);
	const parts = "section[id], #running, #progress, #job-notice";
	async function look() {
		try {
			if (!document.hidden) {
				const page = await load(location.href);
				document.title = page.title;
				for (const part of main.querySelectorAll(parts)) {
					if (!part.parentElement.closest(parts)) replace(part, page.getElementById(part.id));
				}
				seconds = Number(page.getElementById("main").dataset.refresh);
				main.classList.remove("stale");
			}
		} catch {
			main.classList.add("stale");
			seconds = seconds || 5;
		}
		if (seconds) setTimeout(look, seconds * 1000);
	}
	if (seconds) setTimeout(look, seconds * 1000);
}

// Live: the feed says that something has happened, and the list is loaded again, at
// most once a second, and not while the reader is in it.
function follow(list) {
	const word = document.getElementById("live-state");
	let isLoading = false, isWaiting = false;
	const isInUse = () => list.matches(":has(:focus-visible)") || list.matches(":hover") && matchMedia("(hover: hover)").matches;
	async function show() {
		if (isLoading || isInUse()) { isWaiting = true; return; }
		isLoading = true;
		isWaiting = false;
		try {
			const page = await load(location.href);
			const known = new Set([...document.querySelectorAll("#rows tr")].map((row) => row.id));
			const isFirst = !document.getElementById("rows");
			const next = page.getElementById("list");
			prepare(next);
			for (const row of next.querySelectorAll("#rows tr")) if (!isFirst && !known.has(row.id)) row.classList.add("new");
			list.replaceChildren(...document.importNode(next, true).childNodes);
			const pages = document.querySelector("nav.pages"), nextPages = page.querySelector("nav.pages");
			if (pages && nextPages) replace(pages, nextPages);
			word.textContent = "Live";
			setTimeout(() => { for (const row of list.querySelectorAll(".new")) row.classList.remove("new"); }, 1500);
		} catch {
			word.textContent = "Live, but the list cannot be loaded";
			isWaiting = true;
		}
		setTimeout(() => { isLoading = false; if (isWaiting) show(); }, 1000);
	}
	const feed = new EventSource(list.dataset.feed);
	let settled; // what became of an event is in the list a moment after its attempt has ended
	feed.addEventListener("news", () => {
		if (isInUse()) word.textContent = "Live; new events are shown when you leave the list";
		show();
		clearTimeout(settled);
		settled = setTimeout(show, 1500);
	});
	feed.addEventListener("open", () => { word.textContent = "Live"; show(); });
	feed.addEventListener("error", () => {
		word.textContent = feed.readyState === EventSource.CLOSED ? "Not live: reload the page" : "Connecting again";
	});
	list.addEventListener("mouseleave", () => { if (isWaiting) show(); });
	list.addEventListener("focusout", () => { if (isWaiting) setTimeout(show); });
	addEventListener("pagehide", () => feed.close());
}

const main = document.getElementById("main");
prepare(document);
addSelectAll();
if (main.dataset.refresh) keepCurrent(main);
const list = document.querySelector("[data-feed]");
if (list) follow(list);
