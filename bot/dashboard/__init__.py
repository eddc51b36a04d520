"""The dashboard: what is recorded of each repository over time, and the pages that show it.

    records.py    what the store keeps of a repository, with bounds: points in time, tables, reports
    survey.py     a snapshot -> what is recorded of it (runs in a child process, or on the command line)
    revisions.py  which revisions of a repository are worth a point; measure.py: to points, each package judged once
    history.py    `winparity history`: over revisions with progress, to go on where it stopped; what is printed of them
    recording.py  what a worker does: surveys, the past, reports, what becomes private; surveyor.py: in which process
    past.py       the clone that a repository's past is read from
    parts.py      what the views have in common: scores, places with their addresses, lists in pages
    views.py      records -> what a page shows and what the JSON API gives, the same values: repositories, packages, symbols
    pulls.py, changes.py, lists.py    the same of pull requests; of two revisions; of findings, features, rules
    shared.py     and what two revisions tell of code that the platforms share: tests, guards
    operations.py how the installation does, over all its processes: for administrators
    memory.py     what was read last, for as long as nothing new is recorded
    pages.py      the routes: a view as HTML or as JSON
    answers.py    how they are answered: headers, what is sent only when it is new, compression, files
    schema.py     the JSON Schema of the API
    words.py      what templates say: days, shares, states
    charts.py     parity over time as a picture; the badge
    visitors.py   who may see what: the one door to a repository by its name
    signin.py     /login and /logout, and what every form is checked by
    sessions.py   who is signed in: cookies, and what the store keeps
    permissions.py what somebody may read, remembered for a minute
    oauth.py      GitHub as somebody has it who signs in

Templates and static files lie beside it.
"""
