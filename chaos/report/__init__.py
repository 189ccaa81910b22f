"""Reports: one self-contained HTML page, result.json, JUnit XML and Markdown, made from a run's journal alone.

chaos.report.pages.render.render(folder)        report.html, result.json, junit.xml, report.md beside the journal
chaos.report.pages.index.render_index(reports)  index.html with the history of every experiment
chaos.report.pages.compare.compare(a, b)        two runs of one experiment side by side
python -m chaos.report                    the same in a process of its own, imports done ahead of time
"""
