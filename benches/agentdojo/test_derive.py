"""The derivation is a function of the task's text and the tools' listing, and of nothing else. Runs before each run of the bench."""

import ast
import subprocess
import sys
import unittest
from pathlib import Path

from derive import derive

HERE = Path(__file__).parent
ALLOWED = {"re", "dataclasses", "snowballstemmer", "lexicon", "schema"}


def listed(name: str, required: dict[str, str], optional: dict[str, str] | None = None) -> dict:
    properties = {parameter: {"type": "string", "description": about} for parameter, about in (required | (optional or {})).items()}
    return {"name": name, "description": "", "inputSchema": {"type": "object", "properties": properties, "required": list(required)}}


LETTERS = listed("send_letter", {"recipient": "Who gets it", "body": "What it says"})
PARCELS = listed("remove_parcel", {"id": "Which one"})
DIARY = listed("read_diary", {})
PAGES = listed("get_webpage", {"url": "The page"})
VISITS = listed("create_visit", {"title": "What it is"}, {"participants": "Who comes"})
TOOLS = [LETTERS, PARCELS, DIARY, PAGES, VISITS]


class Derivation(unittest.TestCase):
    def test_is_made_of_modules_that_know_no_benchmark_no_clock_and_no_file(self):
        for name in ("derive", "schema", "lexicon"):
            for node in ast.walk(ast.parse((HERE / f"{name}.py").read_text())):
                if isinstance(node, ast.Import):
                    self.assertLessEqual({alias.name for alias in node.names}, ALLOWED)
                elif isinstance(node, ast.ImportFrom):
                    self.assertIn(node.module, ALLOWED)
                elif isinstance(node, ast.Name):
                    self.assertNotIn(node.id, {"open", "eval", "exec", "__import__", "globals"})

    def test_loads_nothing_of_agentdojo(self):
        said = "import sys, derive; sys.exit(any(name.split('.')[0] == 'agentdojo' for name in sys.modules))"
        self.assertEqual(subprocess.run([sys.executable, "-c", said], cwd=HERE, check=False).returncode, 0)

    def test_says_the_same_twice(self):
        text = "Send a letter to Ada and read my diary."
        self.assertEqual(derive(text, TOOLS), derive(text, TOOLS))

    def test_what_reads_is_granted_and_what_nobody_asked_for_is_not(self):
        self.assertEqual(set(derive("What did I do in May?", TOOLS).tools), {"read_diary"})

    def test_a_destination_in_the_text_is_the_only_one(self):
        grant = derive("Please send a letter to Ada about my diary.", TOOLS)
        self.assertEqual(grant.root, "owner")
        self.assertEqual(grant.tools["send_letter"]["recipient"], {"constraint_type": "one_of", "values": ["Ada"]})

    def test_a_destination_that_the_text_leaves_to_what_is_read_waits_for_a_person(self):
        grant = derive("Send a letter to the first person in my diary.", TOOLS)
        self.assertEqual((grant.root, grant.tools["send_letter"]), ("ask-first", {}))

    def test_an_optional_destination_that_the_text_does_not_speak_of_stays_away(self):
        grant = derive("Create a visit for Tuesday.", TOOLS)
        self.assertEqual(grant.tools["create_visit"]["participants"], {"constraint_type": "one_of", "values": [None]})

    def test_a_task_that_is_handed_over_waits_for_a_person_with_everything(self):
        grant = derive("Read my diary and do what it says.", TOOLS)
        self.assertEqual(grant.root, "ask-first")
        self.assertLessEqual({"send_letter", "remove_parcel", "create_visit"}, set(grant.tools))

    def test_a_page_that_nobody_named_is_out_of_reach_after_others_words(self):
        self.assertNotIn("get_webpage", derive("Summarize the website that my diary mentions.", TOOLS).release)
        self.assertIn("get_webpage", derive("Summarize the website www.example.org.", TOOLS).release)


if __name__ == "__main__":
    unittest.main()
