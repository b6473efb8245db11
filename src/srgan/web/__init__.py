"""What the report and the page of the service share, and how their scripts are put together.

`palette.css`, `base.css` and `compare.css` are their looks; `dom.js`, `view.js`, `gestures.js` and
`divider.js` show two pictures in one frame; `modules` finds and joins what a script imports.
"""
