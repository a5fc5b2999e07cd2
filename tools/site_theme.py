"""Style and script of the site's pages, which remove barriers that the theme leaves (axe-core finds them)."""

__all__ = ["CSS", "SCRIPT"]

CSS = """
.md-grid { max-width: 80rem; }
.md-typeset pre > code { font-size: 0.78em; }
.md-typeset td code { white-space: nowrap; }
.md-tabs__link { opacity: 1; }
.md-typeset :is(p, li) > a:not(.md-button, .headerlink) { text-decoration: underline; }
[data-md-color-scheme="default"] {
  --md-code-hl-comment-color: #5c5c5c; --md-code-hl-number-color: #b3231f; --md-code-hl-name-color: #36464e;
  --md-code-hl-operator-color: #5c5c5c; --md-code-hl-punctuation-color: #5c5c5c;
  --md-code-hl-generic-color: #5c5c5c;
}
[data-md-color-scheme="slate"][data-md-color-primary] {
  --md-typeset-a-color: #8fb4ff; --md-code-hl-number-color: #ff9c92;
}
[data-md-color-scheme="slate"] .md-button--primary { color: #fff; }
.md-typeset h1, .md-typeset .headerlink { color: inherit; }
.md-footer-meta { color: #fff; }
"""

SCRIPT = """
// Names regions, and lets the keyboard scroll what is wider than the page.
function removeBarriers() {
  const search = document.querySelector('.md-search[role="dialog"]');
  if (search) search.setAttribute("aria-label", "Search");
  document.querySelectorAll("nav.md-nav[aria-labelledby]").forEach((nav, n) => {
    nav.removeAttribute("aria-labelledby");
    nav.setAttribute("aria-label", "Section " + (n + 1));
  });
  document.querySelectorAll(".md-code__nav").forEach((nav, n) => {
    nav.setAttribute("aria-label", "Code " + (n + 1));
  });
  for (const region of document.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap")) {
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
  }
}
document.addEventListener("DOMContentLoaded", () => {
  removeBarriers();
  // The theme adds buttons to code while the page is shown.
  new MutationObserver(removeBarriers).observe(document.body, { childList: true, subtree: true });
  addEventListener("resize", removeBarriers);
});
"""
