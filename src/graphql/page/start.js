"use strict";

for (const article of document.querySelectorAll("article")) {
  const query = article.querySelector("[data-document]").textContent;
  const variables = article.querySelector("[data-variables]");
  const hash = new URLSearchParams({ query });
  if (variables) hash.set("variables", variables.textContent);

  const open = article.querySelector("[data-try]");
  open.href = `/graphiql#${hash}`;
  open.hidden = false;

  const copy = article.querySelector("[data-copy]");
  // A page that was not loaded over HTTPS or from this machine has no clipboard.
  if (!navigator.clipboard) continue;
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(query);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
}
