function easelPressed(width) {
  window.easelWidth = width;
  return [width];
}

function easelClicked(words) {
  window.easelWords = words;
}

onUiLoaded(() => {
  const app = gradioApp();
  document.body.dataset.easel = JSON.stringify({
    prompt: app.querySelector("#txt2img_prompt > label > textarea") !== null,
    tab: app.querySelector("#easel_say") !== null,
    inner: app.querySelector("#script_txt2img_easel_words textarea") !== null,
    hidden: app.querySelector("#script_txt2img_easel_hidden input") !== null,
    dropdown: app.querySelectorAll("#txt2img_script_container .gradio-dropdown").length > 0,
    flag: opts.easel_flag,
    came: window.easelSawThePageCome === true,
    at: get_uiCurrentTabContent()?.id,
  });
});

document.addEventListener("DOMContentLoaded", () => {
  window.easelSawThePageCome = true;
});

onUiTabChange(() => {
  document.body.dataset.easelTab = get_uiCurrentTab().textContent;
});
