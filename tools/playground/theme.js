// Sets light or dark before the page is shown: the user's choice, or the system's.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("tpmwire-theme");
  } catch (error) {
    // Storage may be disabled.
  }
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
})();
