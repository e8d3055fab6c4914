// Sets the reader's choice of light or dark before the first paint, so that the page never flashes in
// the other one. The rest of the logic is in src/ui/theme.ts.
(function () {
  try {
    var theme = localStorage.getItem("streamgauge.theme");
    if (theme === "light" || theme === "dark") {
      document.documentElement.dataset.theme = theme;
    }
  } catch {
    // Without storage the system decides.
  }
})();
