/** What runs inside the page that is looked at. Each function is sent there by itself, so it uses nothing from outside. */

/** Words on the page that do not stand out from what is behind them (WCAG 2.2 AA: 4.5 to 1, 3 to 1 for large ones). */
export function faintText() {
  const rgb = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = (color) => {
    const [r, g, b] = rgb(color).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (rgb(backgroundColor)[3] !== 0) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(style.color), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const px = parseFloat(style.fontSize);
    const isLarge = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) {
      faint.push(`${ratio.toFixed(2)} ${node.textContent.trim().slice(0, 40)}`);
    }
  }
  return faint;
}

/** How far the page is wider than its window, in pixels. */
export function overflow() {
  return document.scrollingElement.scrollWidth - document.documentElement.clientWidth;
}

/** Fields and buttons that have neither a label nor words. */
export function unnamed() {
  return [...document.querySelectorAll("input, textarea, button")]
    .filter((field) => !field.labels?.length && !field.textContent.trim())
    .map((field) => field.outerHTML);
}

/** The words, or else the id, of what has the focus. */
export function focused() {
  return document.activeElement.textContent.trim() || document.activeElement.id;
}

/** What outlives the tab. */
export function kept() {
  return [localStorage.length, document.cookie];
}

export function keptInTab() {
  return sessionStorage.length;
}

/** The fonts of an element, as its style names them. */
export function fonts(element) {
  return getComputedStyle(element).fontFamily;
}
