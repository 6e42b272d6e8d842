"""Scenarios: worlds, hidden rules and splits as YAML files. Importing it registers them with Gymnasium.

`gym.make("scenarios:homunculus/Drive-v0", scenario="rain-turn")` needs no other import: Gymnasium imports this module
for the part before the colon. The environments themselves are imported when one is made.
"""

import gymnasium

DRIVE = "homunculus/Drive-v0"

if DRIVE not in gymnasium.registry:
    gymnasium.register(
        id=DRIVE,
        entry_point="scenarios.gym.environments:make_drive",
        vector_entry_point="scenarios.gym.environments:make_vector",
    )
