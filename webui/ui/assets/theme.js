/** The colours that the server's settings ask for; Gradio reads them from the address. */

const asked = document.querySelector('meta[name="gesso-theme"]')?.content;
const here = new URL(location.href);

if ((asked === "dark" || asked === "light") && !here.searchParams.has("__theme")) {
  here.searchParams.set("__theme", asked);
  history.replaceState(history.state, "", here);
}
