// Plotly reads its width once, when a notebook's output has none yet, and later only when the window changes.
// This notifies it whenever its pane changes width, and as soon as there is a plot.
export default {
  render({ el }) {
    const pane = () => el.closest(".bg-chart");
    const fit = () => window.dispatchEvent(new Event("resize"));
    let width = 0;
    const sizes = new ResizeObserver(() => {
      const now = pane()?.clientWidth ?? 0;
      if (now && now !== width) { width = now; fit(); }
    });
    sizes.observe(el);
    const begun = performance.now();
    let waiting = requestAnimationFrame(function look() {
      if (pane()?.querySelector(".js-plotly-plot .main-svg")) fit();
      else if (performance.now() - begun < 10_000) waiting = requestAnimationFrame(look);
    });
    return () => { sizes.disconnect(); cancelAnimationFrame(waiting); };
  },
};
