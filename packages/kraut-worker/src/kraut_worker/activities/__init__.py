"""What workflows ask for, done: each activity reads what is, calls the pure planner and acts through ports."""
