/**
 * The colours that the server's settings ask for. Gradio follows the system and, first of all, the
 * address (?__theme=dark); what was asked for stands between the two.
 */

const asked = document.querySelector('meta[name="gesso-theme"]')?.content;
const isFixed = asked === "dark" || asked === "light";

/** Hold the page to the theme that was asked for. */
export function holdTheme() {
  if (!isFixed || new URL(location.href).searchParams.has("__theme")) return;
  const hold = () => {
    const isDark = document.body.classList.contains("dark");
    if (isDark !== (asked === "dark")) document.body.classList.toggle("dark");
  };
  hold();
  new MutationObserver(hold).observe(document.body, { attributeFilter: ["class"] });
}
