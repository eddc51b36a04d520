"""Everything that touches the world: GitHub, git, Redis, the terminal. The analysis itself is the package analyzer."""
